"""Composition root of `ftdist curate`: the child process that does the work.

    python -m ftdist.library.main CONFIG.json OUT.json

Nothing heavy is imported until it is needed: the processes that read start from this module too.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from zlib import crc32

from pydantic import TypeAdapter

from ftdist.config.schema.curate import CurateConfig, CurateModelConfig
from ftdist.errors import ConfigError, FtdistError
from ftdist.inference.model_fingerprint import model_fingerprint
from ftdist.inference.openai_client import open_endpoint
from ftdist.io.jsonl import write_whole
from ftdist.library.pipeline import check_curation, curate
from ftdist.library.retention.response_cache import ANSWERED_AT_ONCE

if TYPE_CHECKING:
    from ftdist.data.chat_encoder import ChatEncoder
    from ftdist.inference.hf_model import HFModel
    from ftdist.library.stages.publish import Published


class BaseModel:
    """The base model of a curation, loaded when it is first asked for something."""

    def __init__(self, model: CurateModelConfig) -> None:
        assert model.path is not None
        self.path = model.path

    @cached_property
    def key(self) -> str:
        """Fingerprint of the model, for what caches its answers."""
        return model_fingerprint(Path(self.path))

    @cached_property
    def encoder(self) -> "ChatEncoder":
        """What turns samples into tokens."""
        from transformers import AutoTokenizer

        from ftdist.data.chat_encoder import ChatEncoder
        from ftdist.errors import ModelError

        try:
            tokenizer = AutoTokenizer.from_pretrained(self.path, trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise ModelError(
                f"model.path={self.path} has no tokenizer that can be read.",
                remedy="set model.path to a Hugging Face model folder, or to null.",
            ) from error
        return ChatEncoder(tokenizer, system_prompt=None)

    def ask(self, *, answer_tokens: int) -> Callable[..., list[str]]:
        """A function from prompts to the model's greedy answers."""

        def answers(prompts: Sequence[str]) -> list[str]:
            return self._hf_model.answer(prompts, max_tokens=answer_tokens, batch=ANSWERED_AT_ONCE)

        return answers

    def continue_texts(self, *, text_tokens: int, seed: int) -> Callable[..., list[str]]:
        """A function from numbered openings to texts that the model writes from there."""

        def texts(prompts: Sequence[str]) -> list[str]:
            return self._hf_model.continue_texts(
                [prompt.partition(" ")[2] for prompt in prompts],
                seeds=[crc32(f"{seed} {prompt}".encode()) for prompt in prompts],
                max_tokens=text_tokens,
                batch=ANSWERED_AT_ONCE,
            )

        return texts

    @cached_property
    def _hf_model(self) -> "HFModel":
        from ftdist.dist.device import choose_device
        from ftdist.inference.hf_model import HFModel
        from ftdist.inference.replicas import plan_replicas

        device = choose_device("auto")
        place = plan_replicas(Path(self.path), device=device, num_replicas=1)
        return HFModel(
            self.path, device=device, gpu=place.gpus[0], split_over_gpus=place.split_over_gpus
        )


def check_as_asked(path: Path) -> None:
    """Refuse what a config asks for, as JSON in a file, if it cannot become a library.

    Raises:
        FtdistError: a setting, a source or the model does not allow it.
    """
    config = _config_of(path)
    if config.model.path is not None:
        _base_model(config)
    check_curation(config)


def curate_as_asked(path: Path) -> "Published":
    """Curate the library of a config, as JSON in a file.

    Raises:
        FtdistError: a source, the model or the disk does not allow it.
    """
    config = _config_of(path)
    model = None if config.model.path is None else _base_model(config)
    endpoint = open_endpoint(config.generator) if config.generator.backend == "endpoint" else None
    return curate(config, model=model, endpoint=endpoint, log=_say)


def _config_of(path: Path) -> CurateConfig:
    return TypeAdapter(CurateConfig).validate_json(path.read_text(encoding="utf-8"))


def _base_model(config: CurateConfig) -> BaseModel:
    model = BaseModel(config.model)
    if not Path(model.path).is_dir():
        raise ConfigError(
            f"model.path={model.path} is no folder.",
            remedy="set model.path to a Hugging Face model folder, or to null.",
        )
    return model


def main(arguments: Sequence[str]) -> int:
    """Curate the library of a config file; arguments: that file, and the file for the answer.

    With the word "check" before them it is only looked whether that can be done.
    """
    _end_with(os.getppid())
    *only, config, answer_file = arguments
    asked, out = Path(config), Path(answer_file)
    try:
        if only == ["check"]:
            check_as_asked(asked)
            write_whole(out, "{}")
            return 0
        answer = curate_as_asked(asked)
    except FtdistError as error:
        told = {"problem": error.problem, "remedy": error.remedy, "exit_code": error.exit_code}
        write_whole(out, json.dumps(told))
        return error.exit_code
    write_whole(out, json.dumps({"card": answer.card, "folder": str(answer.folder)}))
    return 0


def _end_with(parent: int) -> None:
    """Clean up and end when told to, and when the command that asked is gone, killed perhaps."""
    signal.signal(signal.SIGTERM, _end)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOKS_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


_LOOKS_S = 0.5


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's shape
    raise SystemExit(128 + number)


def _say(words: str) -> None:
    with suppress(OSError):  # nobody may be listening any more
        sys.stderr.write(f"{words}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
