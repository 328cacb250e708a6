"""Interactive generation: one prompt for one or two models, or a chat with one.

    python -m ftdist.inference.interactive RUN_DIR SETTINGS

SETTINGS are the fields of `Settings` as JSON. With a prompt, each model answers it; without one,
each line of stdin is a turn of a conversation.
"""

import io
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ftdist.config.saved_config import load_config
from ftdist.config.schema import RunConfig
from ftdist.data.messages import Message, is_text
from ftdist.data.thoughts import is_unfinished
from ftdist.dist.device import give_memory_back, inference_device
from ftdist.errors import INTERRUPTED, FtdistError
from ftdist.inference.hf_model import HFModel
from ftdist.inference.model_folder import resolve_model_folder
from ftdist.inference.replicas import plan_replicas
from ftdist.plan.dataset_info import has_fixed_opening
from ftdist.rundir import RunDir
from ftdist.text.terminal import plain

RESET = "/reset"
ENDS = ("/quit", "/exit")
COMMAND = re.compile(r"/[a-z?-]*", re.IGNORECASE)
"""A command; `/etc/hosts` or `/reset it?` may be part of a question."""

COMMANDS = f"{RESET} clears the conversation, {' or '.join(ENDS)} or Ctrl-D ends."
BROKEN_PIPE = 141


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Set by the command line."""

    prompt: str | None
    models: Sequence[Literal["base", "tuned", "merged"]]
    max_answer_tokens: int
    threads: int
    device: Literal["auto", "cpu", "cuda"]


def answer_prompt(run: RunDir, config: RunConfig, settings: Settings, *, prompt: str) -> None:
    """Stream each model's answer to a prompt; several are labelled with the model's name."""
    for index, name in enumerate(settings.models):
        model = _load(run, config, settings, name=name)
        labels = [f"{name}: "] if len(settings.models) > 1 else []
        if index > 0:
            _write("\n")
        _reply(model, [_user(prompt)], settings, labels=labels)
        _write("".join(labels) + "\n")
        del model
        give_memory_back()  # before the next model is loaded


def chat(run: RunDir, config: RunConfig, settings: Settings) -> None:
    """Answer each line of stdin, with the conversation so far as context."""
    (name,) = settings.models
    hf_model = _load(run, config, settings, name=name)
    _note(f"Chat with the {_label(name)} of run {run.name}. {RESET} clears it, Ctrl-D ends.")
    history: list[Message] = []
    for line in _lines():
        command = line.lower() if COMMAND.fullmatch(line) else ""
        if command in ENDS:
            return
        if command:
            if command == RESET:
                history = []
            _note("Cleared." if command == RESET else COMMANDS)
            continue
        history = _with_room(hf_model, [*history, _user(line)], settings)
        if not history:
            _note("That exceeds the model's context: shorten it.")
            continue
        try:
            text = _reply(hf_model, history, settings, labels=[])
        except KeyboardInterrupt:
            history.pop()  # an unanswered question is removed
            _note("\nStopped.")
            continue
        _write("\n\n")
        history.append(Message(role="assistant", content=text))


def _reply(
    hf_model: HFModel, messages: Sequence[Message], settings: Settings, *, labels: list[str]
) -> str:
    """Stream the answer to stdout, its thought before it to stderr.

    Returns:
        the message, with its thought: the chat template writes what of it belongs into a history.
    """

    def write(piece: str) -> None:
        _write("".join(labels) + piece)
        labels.clear()

    text = hf_model.stream_reply(
        messages,
        max_tokens=settings.max_answer_tokens,
        log=write,
        log_thought=lambda thought: _note(f"Thought: {plain(thought)}"),
    )
    if is_unfinished(text):
        _note(
            f"The thought did not end within {settings.max_answer_tokens} tokens: set "
            "eval.max_new_tokens higher."
        )
    return text


def _with_room(hf_model: HFModel, history: list[Message], settings: Settings) -> list[Message]:
    """The newest turns that leave room for an answer; [] if the last turn alone does not."""
    turns = history
    while turns and not hf_model.has_room(turns, max_tokens=settings.max_answer_tokens):
        turns = turns[2:]
    if turns and len(turns) < len(history):
        _note(f"Dropped the oldest {len(history) - len(turns)} turns: the context is full.")
    return turns


def _label(name: str) -> str:
    return f"{name} model"


def _load(run: RunDir, config: RunConfig, settings: Settings, *, name: str) -> HFModel:
    """The base, the tuned model or the merged model, by name."""
    folder = run.merged_model if name == "merged" else run.export
    if name == "base":
        folder = resolve_model_folder(config.model.path, config.model.revision)
    device = inference_device(settings.device)
    if device == "cpu" and settings.device == "cuda":
        _note("This process sees no GPU: the model runs on the CPU.")
    # A base model without a chat template gets the one that the tuned model was trained with.
    template = run.export / "chat_template.jinja"
    _note(f"Loading the {_label(name)} from {folder}.")
    plan = plan_replicas(folder, device=device, num_replicas=1)
    return HFModel(
        folder,
        device=device,
        gpu=plan.gpus[0],
        system_prompt=config.library.system_prompt,
        chat_template=template.read_text(encoding="utf-8") if template.is_file() else None,
        fixed_opening=has_fixed_opening(run.plan),
        threads=settings.threads,
    )


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _lines() -> Iterator[str]:
    """Lines of stdin until Ctrl-D, or Ctrl-C at the prompt."""
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        import readline  # noqa: F401 - enables arrow keys and history
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # a bad byte only costs its line
    while True:
        try:
            line = input("> " if is_terminal else "").strip()
        except (EOFError, KeyboardInterrupt):
            if is_terminal:
                _write("\n")
            return
        if not is_text(line):
            _note("That is not UTF-8 text.")
        elif line:
            yield line


def _write(text: str) -> None:
    # A model's output must not control the terminal.
    sys.stdout.write(plain(text))
    sys.stdout.flush()


def _note(text: str) -> None:
    sys.stderr.write(f"{plain(text)}\n")
    sys.stderr.flush()


def main(run_dir: str, arguments: str) -> int:
    """Answer the prompt, or chat until the input ends; returns the exit code."""
    settings = Settings(**json.loads(arguments))
    run = RunDir(Path(run_dir))
    try:
        config = load_config(run.config)
        if settings.prompt is None:
            chat(run, config, settings)
        else:
            answer_prompt(run, config, settings, prompt=settings.prompt)
    except FtdistError as error:
        _note(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
