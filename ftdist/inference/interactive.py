"""Questions that a person types: both models answer, or the tuned one goes on talking.

    python -m ftdist.inference.interactive RUN_DIR SETTINGS

SETTINGS are the fields of `Settings` as JSON; with a question, base and tuned model answer it,
without one every line of stdin is a turn of a conversation with the tuned model.
"""

import io
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ftdist.config.compose import load_config
from ftdist.config.schema import RunConfig
from ftdist.data.messages import Message, is_text
from ftdist.dist.device import choose_device, give_memory_back
from ftdist.errors import INTERRUPTED, FtdistError
from ftdist.evaluation.report.text import plain
from ftdist.evaluation.runner import base_folder
from ftdist.inference.hf_model import Answerer
from ftdist.inference.replicas import copies_of
from ftdist.rundir import RunDir

RESET = "/reset"
ENDS = ("/quit", "/exit")
COMMAND = re.compile(r"/[a-z?-]*", re.IGNORECASE)
"""A line that is meant for us: `/etc/hosts` or `/reset it?` may be part of a question."""

COMMANDS = f"{RESET} forgets what was said, {' or '.join(ENDS)} or Ctrl-D ends."
NOBODY_LISTENS = 141


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command line asks for."""

    question: str | None
    max_answer_tokens: int
    threads: int
    device: Literal["auto", "cpu", "cuda"]
    merged: bool = False
    """Whether the run's merged model answers for the tuned model."""


def ask(run: RunDir, config: RunConfig, settings: Settings, *, question: str) -> None:
    """Write what the base and the tuned model answer, one under the other, word by word."""
    last = _tuned(settings)
    for name in ("base", last):
        answerer = _load(run, config, settings, name=name)
        _write(f"{name}: ")
        answerer.reply([_user(question)], max_tokens=settings.max_answer_tokens, log=_write)
        _write("\n" if name == last else "\n\n")
        del answerer
        give_memory_back()  # the next model must not stand beside this one


def chat(run: RunDir, config: RunConfig, settings: Settings) -> None:
    """Answer each line of stdin as the tuned model, which has the conversation before its eyes."""
    name = _tuned(settings)
    answerer = _load(run, config, settings, name=name)
    called = "merged model" if settings.merged else "tuned model"
    _note(f"Talking with the {called} of run {run.name}. {RESET} forgets, Ctrl-D ends.")
    history: list[Message] = []
    for line in _lines():
        command = line.lower() if COMMAND.fullmatch(line) else ""
        if command in ENDS:
            return
        if command:
            if command == RESET:
                history = []
            _note("Forgotten." if command == RESET else COMMANDS)
            continue
        history = _with_room(answerer, [*history, _user(line)], settings)
        if not history:
            _note("That is longer than the model can read at once: say it in fewer words.")
            continue
        try:
            text = answerer.reply(history, max_tokens=settings.max_answer_tokens, log=_write)
        except KeyboardInterrupt:
            history.pop()  # a question without its answer is not kept
            _note("\nStopped.")
            continue
        _write("\n\n")
        history.append(Message(role="assistant", content=text))


def _with_room(answerer: Answerer, history: list[Message], settings: Settings) -> list[Message]:
    """The newest of a conversation that leaves room for an answer; [] if the last turn does not."""
    kept = history
    while kept and not answerer.has_room(kept, max_tokens=settings.max_answer_tokens):
        kept = kept[2:]
    if kept and len(kept) < len(history):
        _note(f"The oldest {len(history) - len(kept)} turns are forgotten: there is no more room.")
    return kept


def _tuned(settings: Settings) -> str:
    """Name of what answers beside the base."""
    return "merged model" if settings.merged else "tuned"


def _load(run: RunDir, config: RunConfig, settings: Settings, *, name: str) -> Answerer:
    """The base, the tuned model or the merged model, by name."""
    folder = run.merge / "model" if settings.merged else run.export
    if name == "base":
        folder = base_folder(config.model.path, config.model.revision)
    device = choose_device(settings.device)
    # A base model without a chat template is asked in the words that the tuned one learned.
    template = run.export / "chat_template.jinja"
    _note(f"Loading the {name if name == 'merged model' else f'{name} model'} from {folder}.")
    place = copies_of(folder, device=device, wanted=1)
    return Answerer(
        folder,
        device=device,
        gpu=place.gpus[0],
        over_all=place.over_all,
        system_prompt=config.library.system_prompt,
        chat_template=template.read_text(encoding="utf-8") if template.is_file() else None,
        threads=settings.threads,
    )


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _lines() -> Iterator[str]:
    """What is typed, line by line, until Ctrl-D, or Ctrl-C while nothing is being answered."""
    asks = sys.stdin.isatty()
    if asks:
        import readline  # noqa: F401 - arrow keys and earlier lines, by being loaded
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # a wrong byte costs its line, not the talk
    while True:
        try:
            line = input("> " if asks else "").strip()
        except (EOFError, KeyboardInterrupt):
            if asks:
                _write("\n")
            return
        if not is_text(line):
            _note("That is not UTF-8 text.")
        elif line:
            yield line


def _write(text: str) -> None:
    # What a model writes is text: it must not steer the terminal.
    sys.stdout.write(plain(text))
    sys.stdout.flush()


def _note(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(run_dir: str, asked: str) -> int:
    """Answer until there is nothing more to answer; the exit code."""
    settings = Settings(**json.loads(asked))
    run = RunDir(Path(run_dir))
    try:
        config = load_config(run.config)
        if settings.question is None:
            chat(run, config, settings)
        else:
            ask(run, config, settings, question=settings.question)
    except FtdistError as error:
        _note(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_LISTENS
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
