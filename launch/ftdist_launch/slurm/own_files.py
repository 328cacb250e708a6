"""Refuse jobs whose files another user may change: when they are submitted, and when they start.

A job runs the code and unpickles the files in its run directory, maybe days after it was submitted.
The lines of the batch script check it before anything of it runs; SLURM keeps the script itself.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ftdist.io.ownership import is_trusted, require_own, trusted_users

if TYPE_CHECKING:
    from ftdist_launch.slurm.sbatch import JobRequest

_REFUSE = (
    '[ -z "$others" ] || { echo "Others may change $others: '
    'the job does not run what is in it." >&2; exit 78; }'
)


def require_own_files(request: "JobRequest") -> None:
    """Refuse runs that another user may change, and programs in their config that all may.

    Raises:
        ConfigError: the first of them.
    """
    for run in request.runs:
        run.require_own()
    require_own(request.folder, what="The folder of the jobs")
    cluster = request.cluster
    for key, program in (("python", cluster.python), ("container", cluster.container)):
        if program is not None and program.startswith("/"):
            # A link to the system's Python stands in a virtual environment that decides the rest.
            for path in (Path(program).parent, Path(program)):
                require_own(path, what=f"cluster.{key}", of_anyone=True)


def own_folder_lines(folder: Path, shown: str) -> list[str]:
    """Lines of a batch script that end the job unless a folder is the user's alone to change.

    Args:
        folder: to check.
        shown: how the script writes it.
    """
    if is_trusted(folder):
        return []
    return [f'others="$(find -H {shown} -maxdepth 0 {_foreign()})" || exit 78', _REFUSE]


def own_file_lines(folder: Path) -> list[str]:
    """The same of the code and the pickles of a run that others may enter."""
    if is_trusted(folder):
        return []
    files = '"$FTDIST_RUN/code" "$FTDIST_LOGS"'
    found = f"find -H {files} -ignore_readdir_race ! -type l {_foreign()} -print -quit"
    return [f'others="$({found})" || exit 78', _REFUSE]


def _foreign() -> str:
    """The test of `find` for what `require_own` refuses."""
    others = " ".join(f"! -uid {user}" for user in sorted(trusted_users()))
    return rf"\( {others} -o -perm -002 \)"
