"""Which environment modules and container runtimes a login node offers."""

import re

from ftdist_launch.doctor.commands import Runner

WANTED = re.compile(
    r"^(cuda|cudatoolkit|nccl|cudnn|python|anaconda|miniforge|gcc|openmpi)(/|$)", re.I
)
"""Modules that a run may need."""

MODULES = ("bash", "-lc", "module -t avail 2>&1")
"""Lmod and the older environment modules both list to stderr, one name per line."""

PYXIS = ("srun", "--help")
"""Lists the options of plugins too."""

RUNTIMES = ("enroot", "apptainer", "singularity")


def modules(run: Runner) -> tuple[str, ...]:
    """Modules that a run may need, in the order of the list; empty without modules."""
    output = run(MODULES)
    if output.code:
        return ()
    names = (line.strip().removesuffix("(default)") for line in output.out.splitlines())
    return tuple(dict.fromkeys(name for name in names if WANTED.match(name) and name[-1] != "/"))


def containers(run: Runner) -> tuple[str, ...]:
    """The container runtimes of this machine, and pyxis if `srun` has it."""
    found = ["pyxis"] if "--container-image" in run(PYXIS).out else []
    found += [name for name in RUNTIMES if not run((name, "--version")).is_missing]
    return tuple(found)
