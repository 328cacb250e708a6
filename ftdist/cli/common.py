"""What the verbs that name a run have in common."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ftdist.errors import ConfigError
from ftdist.rundir import RUNS_ROOT, RunDir, find_run


def wants_help(words: Sequence[str], text: str) -> bool:
    """Print a verb's help where it is asked for; tell whether it was."""
    if "--help" in words or "-h" in words:
        sys.stdout.write(text)
        return True
    return False


def named_run(
    words: Sequence[str], *, verb: str, takes_keys: bool = True
) -> tuple[RunDir, list[str]]:
    """The run that the first word names, and the overrides after it.

    `run.root=DIR` among them says where runs are, if not in `runs`.

    Args:
        words: after the verb.
        verb: for what is said.
        takes_keys: whether there may be keys beside run.root.

    Raises:
        ConfigError: no run is named, there is none of that name, or a word has no place here.
    """
    plain = [word for word in words if "=" not in word or word.startswith("-")]
    overrides = [word for word in words if word not in plain]
    roots = [word.partition("=")[2] for word in overrides if word.startswith("run.root=")]
    overrides = [word for word in overrides if not word.startswith("run.root=")]
    _refuse_secrets([*plain, *roots])
    flags = [word.partition("=")[0] for word in plain if word.startswith("-")]
    if flags:
        raise ConfigError(
            f"{', '.join(flags)} is not a flag of `ftdist {verb}`.",
            remedy=f"leave it out; `ftdist {verb} --help` says what it takes.",
        )
    if len(plain) != 1:
        raise _not_one_run(plain, verb=verb)
    if overrides and not takes_keys:
        names = ", ".join(word.partition("=")[0] for word in overrides)
        raise ConfigError(
            f"`ftdist {verb}` takes no keys, and was given {names}.",
            remedy=f"leave it out: `ftdist {verb} {plain[0]}`.",
        )
    return find_run(plain[0], runs_root=Path(roots[-1]) if roots else RUNS_ROOT), overrides


def _refuse_secrets(words: Sequence[str]) -> None:
    from ftdist.config.validation import as_error, secret_problem

    problems = [secret_problem("an argument", word.lstrip("-")) for word in words]
    found = [problem for problem in problems if problem is not None]
    if found:
        raise as_error(list(dict.fromkeys(found)))


def _not_one_run(names: Sequence[str], *, verb: str) -> ConfigError:
    """No run, several, or a file that wants a key before it."""
    if not names:
        return ConfigError(
            f"`ftdist {verb}` was given no run.", remedy=f"name one run: `ftdist {verb} R`."
        )
    files = [name for name in names[1:] if name.endswith((".jsonl", ".json"))]
    if verb == "compare" and len(names) == 2 and files:
        return ConfigError(
            f"{files[0]!r} is not of the form key=value.",
            remedy=f"write `ftdist compare {names[0]} eval.probes={files[0]}`.",
        )
    return ConfigError(
        f"`ftdist {verb}` was given {len(names)} runs ({', '.join(names)}).",
        remedy=f"name one run: `ftdist {verb} {names[0]}`; keys are written key=value.",
    )


def log(words: str) -> None:
    """Tell the user something beside the results: on stderr, if anybody is still there."""
    with suppress(OSError):
        sys.stderr.write(f"{words}\n")
        sys.stderr.flush()


def print_result(words: str) -> None:
    """Tell the user a result: on stdout, if anybody is still there."""
    with suppress(OSError):
        sys.stdout.write(f"{words}\n")
        sys.stdout.flush()
