"""Print the dependencies of pyproject.toml, with those of the extras named, one per line."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = [each for name in sys.argv[1:] for each in project["optional-dependencies"][name]]
sys.stdout.write("".join(f"{each}\n" for each in [*project["dependencies"], *extras]))
