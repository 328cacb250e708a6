"""The base model of a curation: its tokenizer counts tokens, its answers become replay."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from ftdist.errors import ConfigError, ModelError
from ftdist.inference.model_fingerprint import model_fingerprint
from ftdist.io.progress import LogFn, no_log
from ftdist.library.retention.response_cache import AnswerFn
from ftdist.plan.model_info import embedding_rows

if TYPE_CHECKING:
    from ftdist.data.chat_encoder import ChatEncoder
    from ftdist.data.template_chat import Reasoning
    from ftdist.inference.hf_model import HFModel


_CPU_BATCH = 64
"""Prompts that a CPU generates together."""


@dataclass(frozen=True, kw_only=True)
class BaseModel:
    """What a curation needs of the base model.

    Attributes:
        path: its folder.
        key: its fingerprint.
        encoder: turns samples into tokens; None: words are counted.
        answers: from the most tokens of an answer to a function that answers prompts greedily.
        texts: from the most tokens of a text and a seed to a function that continues openings,
            which are numbered, such as "0 The".
    """

    path: str
    key: str
    encoder: "ChatEncoder | None"
    answers: Callable[[int], AnswerFn]
    texts: Callable[[int, int], AnswerFn]


def open_base_model(
    path: str, *, reasoning: "Reasoning" = "auto", log: LogFn = no_log
) -> BaseModel:
    """The model of a folder; its weights are loaded with the first prompt.

    Args:
        path: its folder.
        reasoning: what becomes of thoughts when samples are encoded (`ChatEncoder`).
        log: receives a line before and after the weights are loaded.

    Raises:
        ConfigError: there is no such folder.
        ModelError: its tokenizer cannot be loaded.
    """
    if not Path(path).is_dir():
        raise ConfigError(
            f"model.path={path} is not a folder.",
            remedy="set model.path to a Hugging Face model folder, or to null.",
        )

    @cache
    def loaded() -> "HFModel":
        log(f"curate: loading the base model {path}")
        model = _load(path)
        log("curate: the base model is loaded; generating")
        return model

    return BaseModel(
        path=path,
        key=model_fingerprint(Path(path)),
        encoder=_load_encoder(path, reasoning),
        answers=lambda max_tokens: _answers(loaded, max_tokens=max_tokens),
        texts=lambda max_tokens, seed: _texts(loaded, max_tokens=max_tokens, seed=seed),
    )


def _answers(model: Callable[[], "HFModel"], *, max_tokens: int) -> AnswerFn:
    def answer(prompts: Sequence[str]) -> Iterator[str]:
        for batch in _batches(prompts, model()):
            yield from model().answer(batch, max_tokens=max_tokens, batch=len(batch))

    return answer


def _texts(model: Callable[[], "HFModel"], *, max_tokens: int, seed: int) -> AnswerFn:
    def write(prompts: Sequence[str]) -> Iterator[str]:
        for batch in _batches(prompts, model()):
            yield from model().continue_texts(
                [prompt.partition(" ")[2] for prompt in batch],
                seeds=[crc32(f"{seed} {prompt}".encode()) for prompt in batch],
                max_tokens=max_tokens,
                batch=len(batch),
            )

    return write


def _batches(prompts: Sequence[str], model: "HFModel") -> Iterator[Sequence[str]]:
    """Prompts that are generated together; an interruption loses the answers to one batch."""
    size = len(prompts) if model.on_gpu else _CPU_BATCH
    return (prompts[first : first + size] for first in range(0, len(prompts), size))


# torch and transformers are imported where they are used: the worker processes, which read and
# build samples, import this module too and need neither.


def _load_encoder(path: str, reasoning: "Reasoning") -> "ChatEncoder":
    from transformers import AutoTokenizer

    from ftdist.data.chat_encoder import ChatEncoder

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The tokenizer of model.path={path} cannot be loaded.",
            remedy="set model.path to a Hugging Face model folder, or to null.",
        ) from error
    return ChatEncoder(
        tokenizer,
        system_prompt=None,
        reasoning=reasoning,
        embedding_rows=embedding_rows(Path(path)),
    )


def _load(path: str) -> "HFModel":
    from ftdist.dist.device import inference_device
    from ftdist.inference.hf_model import HFModel
    from ftdist.inference.replicas import plan_replicas

    device = inference_device("auto")
    replicas = plan_replicas(Path(path), device=device, num_replicas=1)
    return HFModel(
        path,
        device=device,
        gpu=replicas.gpus[0],
        fixed_opening=True,  # replay without thoughts
    )
