"""Problems of the user's own config files, reported with the file to correct."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ftdist.config.hydra_adapter import ComposedFile
from ftdist.config.problems import Problem
from ftdist.config.search_path import conf_dir, list_options
from ftdist.config.validation import look_up

EXPERIMENT = "experiment"


def with_files(problems: Sequence[Problem], *, files: Sequence[ComposedFile]) -> list[Problem]:
    """The problems of a composed config, each with the user's file that causes it.

    Args:
        problems: of values that no override on the command line sets.
        files: those composed, in Hydra's order; the last one that sets a key holds.
    """
    own = [file for file in files if Path(file.folder) != conf_dir()]
    found: list[Problem] = []
    explained: list[str] = []
    for file in own:
        problem = _package_problem(file) or _partial_problem(file, files=files, of=problems)
        if problem is not None:
            found.append(problem)
            explained.append(file.package)
    return found + [
        _with_file(problem, own)
        for problem in problems
        if not any(_is_inside(problem.name or problem.key, section) for section in explained)
    ]


def _is_inside(name: str, section: str) -> bool:
    return f"{name}.".startswith(f"{section}.")


def _package_problem(file: ComposedFile) -> Problem | None:
    """An experiment whose values Hydra puts into a section called experiment."""
    if file.package != EXPERIMENT or not file.values:
        return None
    return Problem(
        f"{shown(file)} lacks the line that makes its values keys of the whole config.",
        "make `# @package _global_` its first line.",
        EXPERIMENT,
    )


def _partial_problem(
    file: ComposedFile, *, files: Sequence[ComposedFile], of: Sequence[Problem]
) -> Problem | None:
    """An option that extends none, and so leaves keys of its group without a value."""
    group = file.package
    unset = [each for each in of if each.unset and _is_inside(each.key, group)]
    others = [each for each in files if each.package == group and each is not file]
    if not group or others or not unset:
        return None
    options = list_options(group, ())
    base = next((each for each in ("slurm", "default") if each in options), options[0])
    return Problem(
        f"{shown(file)} leaves {len(unset)} keys of {group} without a value.",
        f"extend an option: begin it with `defaults: [{base}, _self_]`.",
        group,
    )


def _with_file(problem: Problem, own: Iterable[ComposedFile]) -> Problem:
    name = problem.name or problem.key
    setting = [file for file in own if name and look_up(file.sections, name) is not ...]
    if not setting:
        return problem
    return replace(problem, problem=f"{shown(setting[-1])}: {problem.problem}")


def shown(file: ComposedFile) -> str:
    """The path of a file, relative to the working directory if it is below it."""
    path, here = Path(file.folder) / f"{file.name}.yaml", Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
