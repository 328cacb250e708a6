"""Which folders are installed, and under which names; all else is in pyproject.toml.

Why: docs/decisions/0011-installed-packages.md.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["ftdist*"]), *find_packages("launch"), "ftdist.conf"],
    package_dir={"ftdist_launch": "launch/ftdist_launch", "ftdist.conf": "conf"},
)
