"""The wheel: every file that the packages need at run time is in it."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# What setuptools' build_py copies into a wheel, with nothing built.
LISTING = """
import json
from distutils.core import run_setup
distribution = run_setup("setup.py", stop_after="init")
distribution.parse_config_files()
distribution.include_package_data = False  # else an older build's list of sources counts
build = distribution.get_command_obj("build_py")
build.ensure_finalized()
modules = [path for _, _, path in build.find_all_modules()]
data = [f"{folder}/{name}" for _, folder, _, names in build.data_files for name in names]
print(json.dumps([*modules, *data]))
"""


def test_every_tracked_file_of_the_packages_is_in_the_wheel() -> None:
    listed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LISTING],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    installed = {(ROOT / path).resolve() for path in json.loads(listed.stdout.splitlines()[-1])}
    tracked = subprocess.run(
        ["git", "ls-files", "ftdist", "launch/ftdist_launch", "conf"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    missing = {path for path in tracked.stdout.splitlines() if ROOT / path not in installed}
    assert missing == set()
