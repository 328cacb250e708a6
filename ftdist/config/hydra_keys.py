"""What ftdist answers to Hydra's own keys: those without effect are refused, with the key to use.

docs/reference/hydra.md lists them for users.
"""

from pathlib import PurePath

from ftdist.config.problems import Problem

SEARCH_PATH = "hydra.searchpath"

_RUN_DIR = ("a run's directory is run.root/run.name", "write run.root=... and run.name=...")
_LOGS = ("ftdist writes one log per rank (`ftdist logs R`)", "leave it out")
_SWEEP = ("it concerns a sweep, and this is one run", "leave it out, or add -m to sweep")
_HELP = ("ftdist has its own help", "leave it out")
_BY_HYDRA = ("Hydra sets it", "leave it out")

_ANSWERS: dict[str, tuple[str, str]] = {
    "hydra.run.dir": _RUN_DIR,
    "hydra.run": _RUN_DIR,
    "hydra.sweep.dir": ("each run of a sweep is in run.root", "write run.root=..."),
    "hydra.sweep.subdir": ("each run of a sweep is in run.root/run.name", "write run.name=..."),
    "hydra.sweep": ("each run of a sweep is in run.root", "write run.root=..."),
    "hydra.output_subdir": ("a run's config is config.yaml in its directory", "leave it out"),
    "hydra/output": _RUN_DIR,
    "hydra.job.name": ("a run is called run.name", "write run.name=..."),
    "hydra.job.chdir": ("a run never changes its working directory", "leave it out"),
    "hydra.job.env_set": ("ranks get their environment from cluster.env", "write cluster.env.{}"),
    "hydra.job.env_copy": (
        "ranks get their environment from cluster.env",
        "write cluster.env.NAME=VALUE",
    ),
    "hydra.job.config": ("ftdist makes no names of overrides", "write run.name=..."),
    "hydra.mode": ("the flag -m makes a sweep", "add -m, or leave it out"),
    "hydra.verbose": _LOGS,
    "hydra.job_logging": _LOGS,
    "hydra.hydra_logging": _LOGS,
    "hydra/job_logging": _LOGS,
    "hydra/hydra_logging": _LOGS,
    "hydra.callbacks": ("a config never chooses what code runs", "leave it out"),
    "hydra/callbacks": ("a config never chooses what code runs", "leave it out"),
    "hydra.launcher": _SWEEP,
    "hydra/launcher": _SWEEP,
    "hydra.sweeper": _SWEEP,
    "hydra/sweeper": _SWEEP,
    "hydra.help": _HELP,
    "hydra/help": _HELP,
    "hydra.hydra_help": _HELP,
    "hydra/hydra_help": _HELP,
    "hydra.runtime": _BY_HYDRA,
    "hydra.overrides": _BY_HYDRA,
    "hydra/env": ("it has no options", "leave it out"),
}
"""Keys and groups of Hydra, sections after their keys: why they have no effect, and the remedy."""


def is_hydra_key(name: str) -> bool:
    """Whether a key is one of Hydra's own."""
    return name.startswith(("hydra.", "hydra/")) or name == "hydra"


def hydra_key_problem(name: str, value: str = "", *, where: str = "") -> Problem | None:
    """The problem of a key of Hydra's own; None for the one that ftdist honours.

    Args:
        name: the key or group.
        value: as typed, for the line to write instead.
        where: the file that sets it, for the message.
    """
    if name == SEARCH_PATH:
        return None
    found = [key for key in _ANSWERS if name == key or name.startswith(f"{key}.")]
    if not found:
        remedy = "leave it out; `ftdist train --hydra-help` lists what ftdist takes."
        return Problem(f"{name} is not a key that ftdist takes from Hydra.", remedy, name)
    reason, remedy = _ANSWERS[found[0]]
    if found[0] == "hydra.run.dir" and value:
        path = PurePath(value)
        remedy = f"write run.root={path.parent} run.name={path.name}"
    variable = name.removeprefix("hydra.job.env_set").lstrip(".")
    remedy = remedy.format(f"{variable or 'NAME'}={value or 'VALUE'}")
    place = f" (in {where})" if where else ""
    end = "" if remedy.endswith("...") else "."
    return Problem(f"{name}{place} has no effect in ftdist: {reason}.", f"{remedy}{end}", name)
