"""Answers of a Hugging Face model: greedy, in batches, with plain transformers.

The model is loaded as any other program would load it, so that what is compared is what a user
gets. On a CPU the batch is what counts: each new token reads all weights once, for however many
questions, so questions of like length go together and the key-value cache is kept.
"""

import copy
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LogitsProcessorList,
)
from transformers.utils import logging

from ftdist.dist.device import TORCH_DTYPE, Device, choose_dtype, torch_device
from ftdist.errors import ModelError
from ftdist.expert.draw import Draw

Progress = Callable[[int], None]
"""Told how many more questions are done."""

WHOLE_FILE_BYTES = 1 << 22
"""Files up to this size are hashed whole; larger ones by size, time, beginning and end."""


class Answerer:
    """One model, ready to be asked.

    Args:
        folder: Hugging Face model folder with safetensors weights, or a hub name.
        revision: commit of the hub repository; ignored for a folder.
        device: where the model computes; bfloat16 on GPUs, float32 on CPUs.
        system_prompt: put before every question; None: as the chat template does by itself.
        chat_template: used if the tokenizer brings none.
        threads: CPU threads; 0: as many as there are cores for this process.

    Raises:
        ModelError: the folder cannot be loaded, or there is no chat template.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        device: Device,
        revision: str | None = None,
        system_prompt: str | None = None,
        chat_template: str | None = None,
        threads: int = 0,
    ) -> None:
        torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
        logging.disable_progress_bar()
        self._system_prompt = system_prompt
        self._device = torch_device(device, local_rank=0)
        dtype = TORCH_DTYPE[choose_dtype("auto", device=device)]
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(
                folder, revision=revision, trust_remote_code=False
            )
            self._model: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                revision=revision,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
            )
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{folder} cannot be loaded: {str(error).strip().splitlines()[0]}",
                remedy="name a folder with config.json, tokenizer and *.safetensors, none of "
                "which needs code of its own.",
            ) from error
        self._model.to(self._device).eval()
        if self._tokenizer.chat_template is None:
            self._tokenizer.chat_template = chat_template
        if self._tokenizer.chat_template is None:
            raise ModelError(
                f"The tokenizer in {folder} has no chat template.",
                remedy="add chat_template.jinja to the folder.",
            )
        self._stops = _stop_tokens(self._model, self._tokenizer)
        pad = self._tokenizer.pad_token_id
        self._pad_id: int = pad if pad is not None else self._stops[0]

    def answer(
        self,
        questions: Sequence[str],
        *,
        max_tokens: int,
        batch: int,
        progress: Progress | None = None,
    ) -> list[str]:
        """The greedy answer to each question, in the order of the questions.

        Args:
            questions: what the user says, each in a conversation of its own.
            max_tokens: most tokens of an answer.
            batch: questions answered at once.
            progress: told after each batch how many questions it held.
        """
        prompts = [self._prompt(question) for question in questions]
        answers = [""] * len(questions)
        for places in _by_length(prompts, batch=batch):
            asked = [prompts[place] for place in places]
            for place, ids in zip(places, self._generated(asked, max_tokens), strict=True):
                answers[place] = self._tokenizer.decode(ids, skip_special_tokens=True).strip()
            if progress is not None:
                progress(len(places))
        return answers

    def write_on(
        self, openings: Sequence[str], *, seeds: Sequence[int], max_tokens: int, batch: int
    ) -> list[str]:
        """Plain text after each opening, with it, drawn by chance and without a chat template.

        Args:
            openings: first words; before them stands what the tokenizer writes before any text.
            seeds: one an opening: the same gives the same text, in any batch.
            max_tokens: most tokens of a text, beside its opening's.
            batch: texts written at once.
        """
        prompts = [self._tokenizer(opening)["input_ids"] for opening in openings]
        prompts = [ids[:-1] if ids[-1] in self._stops else ids for ids in prompts]
        texts = [""] * len(openings)
        for places in _by_length(prompts, batch=batch):
            begun = [prompts[place] for place in places]
            draw = Draw([seeds[place] for place in places])
            for place, ids in zip(places, self._generated(begun, max_tokens, draw), strict=True):
                text = self._tokenizer.decode(prompts[place] + ids, skip_special_tokens=True)
                texts[place] = text.strip()
        return texts

    def rank(
        self,
        questions: Sequence[str],
        choices: Sequence[Sequence[str]],
        *,
        batch: int,
        progress: Progress | None = None,
    ) -> list[list[float]]:
        """How likely the model finds each choice as its answer, in nats a UTF-8 byte.

        The sum of the log-probabilities of the choice's tokens, divided by the choice's length,
        so that a short choice has no advantage; bytes, since they do not depend on the tokenizer.

        Args:
            questions: what the user says.
            choices: for each question the answers to weigh.
            batch: questions weighed at once.
            progress: told after each batch how many questions it held.
        """
        prompts = [self._prompt(question) for question in questions]
        ranked: list[list[float]] = [[] for _ in questions]
        for places in _by_length(prompts, batch=batch):
            for place, sums in self._sums(prompts, choices, places):
                lengths = [len(choice.encode()) for choice in choices[place]]
                ranked[place] = [s / n for s, n in zip(sums, lengths, strict=True)]
            if progress is not None:
                progress(len(places))
        return ranked

    def _generated(
        self, prompts: Sequence[list[int]], max_tokens: int, *draw: Draw
    ) -> list[list[int]]:
        """The ids that follow each prompt, in one batch: the likeliest, or drawn."""
        # The model's own generation settings may sample or punish repetition: only its stop
        # tokens are kept, so that both models are asked in the same way.
        self._model.generation_config = GenerationConfig(
            eos_token_id=self._stops, pad_token_id=self._pad_id
        )
        ids, mask = self._left_padded(prompts)
        with torch.inference_mode():
            out = self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=max_tokens,
                do_sample=False,
                logits_processor=LogitsProcessorList(draw),
            )
        following: list[list[int]] = out[:, ids.shape[1] :].tolist()
        return following

    def _sums(
        self, prompts: Sequence[list[int]], choices: Sequence[Sequence[str]], places: list[int]
    ) -> Iterator[tuple[int, list[float]]]:
        """For each place, the summed log-probability of each of its choices, in nats.

        Prompts are computed once; their cache is then repeated for every choice.
        """
        ids, mask = self._left_padded([prompts[place] for place in places])
        encoded = [
            [self._tokenizer(c, add_special_tokens=False)["input_ids"] for c in choices[place]]
            for place in places
        ]
        with torch.inference_mode():
            prefix = self._model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=_positions(mask),
                use_cache=True,
                logits_to_keep=1,
            )
            # Choice by choice of all questions at once: every row has the same prompt as before.
            rounds = max(len(row) for row in encoded)
            columns = []
            for turn in range(rounds):
                tails = [row[turn] if turn < len(row) else row[0] for row in encoded]
                cache = copy.deepcopy(prefix.past_key_values)
                columns.append(self._tail_sums(prefix.logits[:, -1], cache, mask, tails))
        for row, place in enumerate(places):
            yield place, [columns[turn][row] for turn in range(len(encoded[row]))]

    def _tail_sums(
        self,
        first_logits: Float[Tensor, "question vocab"],
        cache: Any,
        mask: Int[Tensor, "question token"],
        tails: Sequence[list[int]],
    ) -> list[float]:
        """Summed log-probability of one tail after each prompt, in nats."""
        longest = max(len(tail) for tail in tails)
        targets = torch.tensor(
            [tail + [self._pad_id] * (longest - len(tail)) for tail in tails], device=self._device
        )
        real = torch.tensor(
            [[1] * len(tail) + [0] * (longest - len(tail)) for tail in tails], device=self._device
        )
        full_mask = torch.cat([mask, real], dim=1)
        out = self._model(
            input_ids=targets,
            attention_mask=full_mask,
            position_ids=_positions(full_mask)[:, mask.shape[1] :],
            past_key_values=cache,
            use_cache=True,
        )
        logits = torch.cat([first_logits[:, None], out.logits[:, :-1]], dim=1).float()
        chosen = functional.log_softmax(logits, dim=-1).gather(-1, targets[..., None])[..., 0]
        sums: list[float] = (chosen * real).sum(dim=1).tolist()
        return sums

    def _prompt(self, question: str) -> list[int]:
        messages = [{"role": "user", "content": question}]
        if self._system_prompt is not None:
            messages.insert(0, {"role": "system", "content": self._system_prompt})
        # What looks like a special token in a question is text.
        ids: list[int] = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=False, sanitize_control_tokens=True
        )
        return ids

    def _left_padded(
        self, prompts: Sequence[list[int]]
    ) -> tuple[Int[Tensor, "question token"], Int[Tensor, "question token"]]:
        """Token ids, and a mask that is 0 on the padding before them."""
        longest = max(len(prompt) for prompt in prompts)
        gaps = [longest - len(prompt) for prompt in prompts]
        ids = [[self._pad_id] * gap + p for gap, p in zip(gaps, prompts, strict=True)]
        mask = [[0] * gap + [1] * len(p) for gap, p in zip(gaps, prompts, strict=True)]
        return torch.tensor(ids, device=self._device), torch.tensor(mask, device=self._device)


def model_key(folder: Path) -> str:
    """A name for what a model folder holds: another model, tokenizer or template, another key.

    Weights are not read whole: size, time of change, beginning and end stand for them.
    """
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        facts = file.stat()
        digest.update(f"{file.name} {facts.st_size}\n".encode())
        with file.open("rb") as stream:
            if facts.st_size <= WHOLE_FILE_BYTES:
                digest.update(stream.read())
                continue
            digest.update(f"{facts.st_mtime_ns}\n".encode())
            digest.update(stream.read(WHOLE_FILE_BYTES // 2))
            stream.seek(-WHOLE_FILE_BYTES // 2, os.SEEK_END)
            digest.update(stream.read())
    return digest.hexdigest()


def _stop_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Tokens that end an answer: those of the generation config, and the tokenizer's own."""
    stops = model.generation_config.eos_token_id
    found = [stops] if isinstance(stops, int) else list(stops or [])
    if tokenizer.eos_token_id is not None and tokenizer.eos_token_id not in found:
        found.append(tokenizer.eos_token_id)
    if not found:
        raise ModelError(
            "Neither generation_config.json nor the tokenizer names an end-of-sequence token.",
            remedy='set "eos_token_id" in generation_config.json.',
        )
    return found


def _by_length(prompts: Sequence[list[int]], *, batch: int) -> Iterator[list[int]]:
    """Places of the prompts, in batches of like length, the longest first."""
    places = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    for start in range(0, len(places), batch):
        yield places[start : start + batch]


def _positions(mask: Int[Tensor, "question token"]) -> Int[Tensor, "question token"]:
    """Positions that count from a row's first real token."""
    return (mask.cumsum(dim=1) - 1).clamp(min=0)
