"""Record what a run begins with, and what the user accepts in its place."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftdist import __version__
from ftdist.checkpoint.model_files import copy_small_files
from ftdist.checkpoint.run_identity import (
    SECTIONS,
    Difference,
    RunIdentity,
    differences,
    refuse_differences,
)
from ftdist.config.schema import RunConfig
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist_launch.local.submit import CHECKOUT
from ftdist_launch.setup.code_snapshot import git_state


def record_identity(run: RunDir, config: RunConfig, plan: Plan) -> None:
    """Record what a run is from now on, before its config and plan are written.

    Until its first attempt it is what is there. Later, whatever differs must be accepted by name in
    `resume.accept`; the event `changes_accepted` lists it, and earlier checkpoints stay the run's.

    Raises:
        ConfigError: something differs that was not accepted.
        StorageError: a file cannot be read or written.
    """
    base = Path(config.model.path)
    now = replace(RunIdentity.compute(config, plan), code=current_code())
    before = RunIdentity.read(run) if run.newest_attempt() else None
    if before is not None:
        found = differences(run, before, now, base=base)
        refuse_differences(run, found, accept=config.resume.accept)
        now = _with_accepted(before, now, found)
        if found:
            sections = list(dict.fromkeys(difference.section for difference in found))
            run.append_event("changes_accepted", sections=sections, changes=list(map(str, found)))
    now.write(run)
    if base.is_dir() and not now.is_copied(run):
        _keep_former_copy(run)
        copy_small_files(base, run.model)


def describe_code(run: RunDir) -> str | None:
    """A note where the run began with other code than this, or without a record; never refused."""
    recorded = RunIdentity.read(run)
    if recorded is None:
        return (
            f"Note: nothing tells what run {run.name} began with, so that nothing can be compared; "
            "it is recorded from now on."
        )
    if recorded.code == current_code():
        return None
    was, now = _in_words(recorded.code), _in_words(current_code())
    return f"Note: run {run.name} began with {was}; this is {now}."


def current_code() -> dict[str, Any]:
    """Version and commit of the code that runs now."""
    state = git_state(CHECKOUT)
    return {"version": __version__, "commit": state.get("commit"), "dirty": state.get("dirty")}


def _with_accepted(before: RunIdentity, now: RunIdentity, found: list[Difference]) -> RunIdentity:
    """With the former digests of what differs; everything else stays as it was recorded."""
    changed = {difference.section for difference in found}
    now = replace(now, **{s: getattr(before, s) for s in SECTIONS if s not in changed})
    accepted = {section: list(digests) for section, digests in before.accepted.items()}
    former = before.digests()
    for section in dict.fromkeys(difference.section for difference in found):
        accepted.setdefault(section, []).append(former[section])
    return replace(now, accepted=accepted, code=before.code)


def _keep_former_copy(run: RunDir) -> None:
    if run.model.is_dir():
        names = (run.root / f"model.{number}" for number in itertools.count(1))
        run.model.rename(next(path for path in names if not path.exists()))


def _in_words(code: dict[str, Any]) -> str:
    commit, dirty = code.get("commit"), " with changes" * bool(code.get("dirty"))
    return f"ftdist {code.get('version')}" + (f" ({commit[:9]}{dirty})" if commit else "")
