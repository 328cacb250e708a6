"""What completes a command line of ftdist: commands, flags, keys, values, runs and files."""

import contextlib
import io
import re
import shlex
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from ftdist.config.keys import CURATE, TRAIN, CommandSpec, config_keys, find_key
from ftdist.rundir import RUNS_ROOT

SPECS: dict[str, tuple[CommandSpec, ...]] = {
    "curate": (CURATE,),
    "expert": (TRAIN, CURATE),
    "explain": (TRAIN, CURATE),
    **dict.fromkeys(
        ("check", "compare", "export", "merge", "plan", "resume", "submit", "sweep", "train"),
        (TRAIN,),
    ),
}
"""The commands that take config keys, and whose keys they are."""

RUN_COMMANDS = frozenset(
    {"cancel", "chat", "compare", "expert", "explain", "export", "logs", "merge", "push", "report"}
    | {"resume", "serve", "status", "sync", "watch"}
)
"""The commands that take the name of a run."""

HYDRA_COMMANDS = frozenset({"curate", "plan", "submit", "train"})
"""The commands whose flags are Hydra's."""

_PATH_KEYS = re.compile(
    r"(^|\.)(path|root|sources|probes|cache_dir|local_cache_dir|python|general_questions"
    r"|perplexity_texts)$"
)


def complete(line: str) -> list[str]:
    """The words that complete the last word of a line.

    Args:
        line: as typed up to the cursor, beginning with `ftdist`.

    Returns:
        Whole words; one that ends the word ends with a space.
    """
    words = _split(line)
    if len(words) <= 2:
        from ftdist.cli.main import COMMANDS

        return _matching((f"{name} " for name in COMMANDS), words[-1])
    command, word = words[1], words[-1]
    if word.startswith("-"):
        return _matching((f"{flag} " for flag in _flags(command)), word)
    specs = SPECS.get(command, ())
    name, equals, value = word.partition("=")
    if equals:
        return [f"{name}={each}" for each in _values(name, value, specs=specs)]
    options: list[str] = []
    if command == "explain" and len(words) == 3:
        return _matching([each.rstrip("=") for each in _keys(word, specs=specs)], word)
    if command in RUN_COMMANDS and not any("=" not in each for each in words[2:-1]):
        options += [f"{run} " for run in _runs()]
    return _matching([*options, *_keys(word, specs=specs)], word)


def _split(line: str) -> list[str]:
    """The words of a line; the last one is being typed, and may be empty."""
    try:
        words = shlex.split(line)
    except ValueError:  # a quote is still open
        words = line.split()
    return [*words, ""] if not words or line[-1:].isspace() else words


def _matching(options: Iterable[str], word: str) -> list[str]:
    return sorted({option for option in options if option.startswith(word)})


def _flags(command: str) -> list[str]:
    """The flags that a command's help names."""
    from ftdist.cli.main import COMMANDS

    if command in HYDRA_COMMANDS:
        return ["--cfg", "--help", "--info", "--multirun"]
    if command not in COMMANDS:
        return []
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        import_module(f"ftdist.cli.commands.{command}").main(["--help"])
    return re.findall(r"(?<![\w-])--[a-z][a-z-]+", text.getvalue())


def _keys(word: str, *, specs: tuple[CommandSpec, ...]) -> list[str]:
    """Sections and groups first; the keys of a section once its name is typed."""
    names = [name for spec in specs for name in config_keys(spec)]
    if "." in word:
        return [f"{name}=" for name in names if "*" not in name]
    groups = [f"{group}=" for spec in specs for group in spec.groups]
    return [*groups, *(f"{name.partition('.')[0]}." for name in names)]


def _values(name: str, value: str, *, specs: tuple[CommandSpec, ...]) -> list[str]:
    for spec in specs:
        if name in spec.options:
            return _matching((f"{option} " for option in spec.options[name]), value)
    key = next((key for spec in specs if (key := find_key(name, command=spec))), None)
    if name == "run.root" or (key is None and _PATH_KEYS.search(name)):
        return _files(value)
    if key is None:
        return []
    options = [*key.choices, *(("true", "false") if key.kind == "switch" else ())]
    options += ["null"] if key.nullable else []
    found = _matching((f"{option} " for option in options), value)
    return found + (_files(value) if _PATH_KEYS.search(name) else [])


def _files(value: str) -> list[str]:
    """Files and folders that complete the last path of a value, which may be a list."""
    cut = max(value.rfind("["), value.rfind(",")) + 1
    typed = value[cut:]
    parent, _, last = typed.rpartition("/")
    folder = Path(f"{parent}/" if parent or typed.startswith("/") else ".").expanduser()
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return []
    begin = value[: len(value) - len(last)]
    return [
        f"{begin}{path.name}{'/' if path.is_dir() else ''}"
        for path in found
        if path.name.startswith(last) and (last or not path.name.startswith("."))
    ]


def _runs() -> list[str]:
    return [path.parent.name for path in RUNS_ROOT.glob("*/config.yaml")]
