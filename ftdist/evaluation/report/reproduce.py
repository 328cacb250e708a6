"""Show how to reproduce a run, its comparison and its library. Loads no torch."""

import importlib.metadata
import json
import os
import platform
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from ftdist.config.hydra_adapter import quoted
from ftdist.config.schema import RunConfig
from ftdist.library.store.dataset import MANIFEST
from ftdist.observe.redact import redacted
from ftdist.rundir import RunDir

_VERSIONS_OF = ("ftdist", "torch", "deepspeed", "transformers", "numpy")


def reproduce(
    run: RunDir,
    config: RunConfig,
    events: Sequence[Mapping[str, Any]],
    *,
    scores: Mapping[str, Any],
) -> dict[str, Any]:
    """The commands, code, versions and settings, with secrets redacted."""
    typed = run.overrides.read_text(encoding="utf-8") if run.overrides.is_file() else ""
    request = next(
        (e for e in events if e.get("event") in ("run_requested", "job_submitted") and "git" in e),
        {},
    )
    git = request.get("git") or {}
    digest = run.root / "code.sha256"
    code = {
        "ftdist": request.get("version"),
        "commit": git.get("commit"),
        "changed after it": {True: "yes", False: "no", None: None}[git.get("dirty")],
        "snapshot": digest.read_text(encoding="utf-8").strip() if digest.is_file() else None,
    }
    shown = redacted(
        {
            "typed": [line for line in typed.splitlines() if line],
            "compared": compare_overrides(config, scores),
            "config": asdict(config),
            "curated": _curated(config),
        },
        environment=os.environ,
    )
    return {
        "command": _command("ftdist train", shown["typed"]),
        "compare": _command(f"ftdist compare {run.cli_name}", shown["compared"]),
        "code": {name: value for name, value in code.items() if value},
        "versions": {"python": platform.python_version(), **_versions()},
        "config": _as_yaml(shown["config"]),
        "curated": _as_yaml(shown["curated"]) if shown["curated"] else None,
    }


def compare_overrides(config: RunConfig, scores: Mapping[str, Any]) -> list[str]:
    """The evaluation settings that differ from the run's config, as overrides."""
    own = asdict(config.eval)
    return [
        f"eval.{name}={_value(value)}"
        for name, value in scores["eval_config"].items()
        if name not in own or own[name] != value
    ]


def _value(value: Any) -> str:
    if isinstance(value, list):
        items = [_text(str(item), plain=r"[\w./-]+") for item in value]
        return f"[{','.join(items)}]"
    return "null" if value is None else _text(str(value), plain=r"[\w./ -]+")


def _text(text: str, *, plain: str) -> str:
    """Quote a text for the command line unless it matches `plain`."""
    return text if re.fullmatch(plain, text) else quoted(text)


def _command(command: str, overrides: Sequence[str]) -> str:
    return " \\\n    ".join([command, *(shlex.quote(line) for line in overrides)])


def _curated(config: RunConfig) -> Any:
    """The settings of a curated library; None for uncurated files."""
    try:
        manifest = json.loads((Path(config.library.path) / MANIFEST).read_text(encoding="utf-8"))
        return manifest["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _as_yaml(settings: Any) -> str:
    text: str = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
    return text


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in _VERSIONS_OF}
