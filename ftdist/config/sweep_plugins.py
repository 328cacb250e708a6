"""Hydra's launchers and sweepers on a command line: which have a counterpart here."""

from collections.abc import Sequence

from ftdist.config.problems import Problem

_BASIC = ("hydra/launcher=basic", "hydra/sweeper=basic")
"""What -m does: one run for each combination, one after another."""

_LAUNCHER = ("hydra/launcher", "hydra.launcher")
_SWEEPER = ("hydra/sweeper", "hydra.sweeper")


def without_plugins(overrides: Sequence[str]) -> list[str]:
    """The overrides without those of Hydra's launchers and sweepers."""
    return [text for text in overrides if not text.lstrip("+~").startswith(_LAUNCHER + _SWEEPER)]


def plugin_problems(overrides: Sequence[str], *, verb: str) -> list[Problem]:
    """A problem for each launcher or sweeper of Hydra that ftdist does not use.

    Args:
        overrides: as typed.
        verb: the command.
    """
    problems = []
    for text in overrides:
        name, _, value = text.lstrip("+~").partition("=")
        if f"{name}={value}" in _BASIC:
            continue
        if name.startswith(_LAUNCHER):
            problems.append(
                Problem(f"ftdist has no {name}={value}.", _launcher_remedy(name, value, verb), name)
            )
        elif name.startswith(_SWEEPER):
            problems.append(Problem(f"ftdist has no {name}={value}.", _sweeper_remedy(name), name))
    return problems


def _launcher_remedy(name: str, value: str, verb: str) -> str:
    if "slurm" not in value and name == "hydra/launcher":
        return (
            "leave it out: `ftdist train -m` trains the runs one after another; on SLURM, "
            "`ftdist submit -m ... cluster=slurm` makes them one job array."
        )
    if verb == "submit":
        return "leave it out: `ftdist submit -m` makes a job array; cluster.KEY sets its resources."
    return "write `ftdist submit -m ... cluster=slurm`: a job array, its resources in cluster.KEY."


def _sweeper_remedy(name: str) -> str:
    if name.startswith("hydra.sweeper.params"):
        return "write the values as overrides, such as -m optim.peak_lr=1e-4,1e-5."
    return "write `ftdist sweep 'optim.peak_lr=interval(1e-5,1e-3)' --trials 20 ...`, with Optuna."
