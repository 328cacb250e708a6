"""Answers of a Hugging Face model: greedy, in batches, with plain transformers.

The model is loaded as any other program would load it, so that what is compared is what a user
gets. On a CPU the batch is what counts: each new token reads all weights once, for however many
questions, so questions of like length go together and the key-value cache is kept.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LogitsProcessorList,
    TextStreamer,
)
from transformers.utils import logging

from ftdist.data.messages import Message
from ftdist.data.prompt_builder import PromptBuilder
from ftdist.dist.device import TORCH_DTYPE, Device, torch_device, use_device
from ftdist.errors import DataError, ModelError
from ftdist.evaluation.lm_eval_tasks import Outcomes, ask_tasks
from ftdist.inference.batching import by_length, left_padded
from ftdist.inference.loglikelihood import Likelihoods, Progress
from ftdist.inference.sampling import Draw
from ftdist.plan.plan import choose_dtype


class Answerer:
    """One model, ready to be asked.

    Args:
        folder: Hugging Face model folder with safetensors weights.
        device: where the model computes; bfloat16 on GPUs, float32 on CPUs.
        gpu: which of the GPUs that this process sees.
        over_all: over all of them instead, layer by layer; what is too much stays on the CPU.
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
        gpu: int = 0,
        over_all: bool = False,
        system_prompt: str | None = None,
        chat_template: str | None = None,
        threads: int = 0,
    ) -> None:
        torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
        logging.disable_progress_bar()
        self._device = torch_device(device, local_rank=gpu)
        dtype = TORCH_DTYPE[choose_dtype("auto", device=device)]
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            self._model: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                device_map="auto" if over_all else {"": self._device},
            )
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{folder} cannot be loaded: {str(error).strip().splitlines()[0]}",
                remedy="name a folder with config.json, tokenizer and *.safetensors, none of "
                "which needs code of its own.",
            ) from error
        if not over_all:
            use_device(self._device)
        self._model.eval()
        if self._tokenizer.chat_template is None:
            self._tokenizer.chat_template = chat_template
        if self._tokenizer.chat_template is None:
            raise ModelError(
                f"The tokenizer in {folder} has no chat template.",
                remedy="add chat_template.jinja to the folder.",
            )
        text_config = self._model.config.get_text_config()
        self._positions: int | None = getattr(text_config, "max_position_embeddings", None)
        self._prompt_builder = PromptBuilder(self._tokenizer, system_prompt=system_prompt)
        self._stops = self._prompt_builder.ends(self._model.generation_config.eos_token_id)
        if not self._stops:
            raise ModelError(
                f"Nothing in {folder} names a token that ends an answer.",
                remedy='set "eos_token_id" in generation_config.json.',
            )
        pad = self._tokenizer.pad_token_id
        self._pad_id: int = pad if pad is not None else self._stops[0]
        self._likelihoods = Likelihoods(
            model=self._model,
            tokenizer=self._tokenizer,
            prompt_builder=self._prompt_builder,
            pad_id=self._pad_id,
            device=self._device,
        )

    @property
    def is_offloaded(self) -> bool:
        """Whether a part of it lies outside the GPUs that it computes on, and has to travel."""
        places = getattr(self._model, "hf_device_map", {}).values()
        return self._device.type == "cuda" and not {"cpu", "disk"}.isdisjoint(places)

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
        said = self.answer_to_the_end(
            questions, max_tokens=max_tokens, batch=batch, progress=progress
        )
        return [text for text, _ in said]

    def answer_to_the_end(
        self,
        questions: Sequence[str],
        *,
        max_tokens: int,
        batch: int,
        progress: Progress | None = None,
    ) -> list[tuple[str, bool]]:
        """The same answers, each with whether it was cut off: it did not end by itself."""
        prompts = [self._prompt(question) for question in questions]
        answers = [("", False)] * len(questions)
        for places in by_length(prompts, batch=batch):
            asked = [prompts[place] for place in places]
            for place, ids in zip(places, self._generated(asked, max_tokens), strict=True):
                text = self._tokenizer.decode(ids, skip_special_tokens=True).strip()
                answers[place] = text, set(self._stops).isdisjoint(ids)
            if progress is not None:
                progress(len(places))
        return answers

    def check_room(self, questions: Sequence[str], *, max_tokens: int) -> None:
        """Refuse questions that leave no room for an answer in the positions that the model knows.

        Raises:
            DataError: there is one.
        """
        for question in questions:
            size = len(self._prompt(question))
            if self._positions is not None and size + max_tokens > self._positions:
                said = shorten(question, 60, placeholder="...")
                raise DataError(
                    f"The question {said!r} has {size} tokens and its answer up to {max_tokens}, "
                    f"more than the {self._positions} that the model reads at once.",
                    remedy="shorten it, or set eval.max_new_tokens lower.",
                )

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
        for places in by_length(prompts, batch=batch):
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
        """How likely the model finds each choice as the answer to its question (`Likelihoods`)."""
        prompts = [self._prompt(question) for question in questions]
        return self._likelihoods.rank(prompts, choices, batch=batch, progress=progress)

    def losses(
        self, texts: Sequence[str], *, batch: int, progress: Progress | None = None
    ) -> list[tuple[float, int]]:
        """Summed loss of each text in nats, and its tokens (`Likelihoods`)."""
        return self._likelihoods.losses(texts, batch=batch, progress=progress)

    def tasks(self, files: Sequence[Path], *, batch: int) -> Outcomes:
        """What the model gets right in tasks of lm-eval (`ask_tasks`)."""
        return ask_tasks(self._model, self._tokenizer, files, batch=batch)

    def reply(
        self, messages: Sequence[Message], *, max_tokens: int, log: Callable[[str], None]
    ) -> str:
        """The greedy answer to a conversation, told piece by piece while it is made.

        Args:
            messages: of user and assistant in turn, the user's last.
            max_tokens: most tokens of the answer.
            log: told each piece as soon as its words are whole.
        """
        self._be_greedy()
        ids = torch.tensor([self._prompt_builder.prompt(messages)], device=self._device)
        with torch.inference_mode():
            out = self._model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_tokens,
                do_sample=False, streamer=_Teller(self._tokenizer, log),
            )  # fmt: skip
        text: str = self._tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
        return text.strip()

    def has_room(self, messages: Sequence[Message], *, max_tokens: int) -> bool:
        """Whether a conversation and its answer fit into the positions that the model knows."""
        size = len(self._prompt_builder.prompt(messages)) + max_tokens
        return self._positions is None or size <= self._positions

    def _generated(
        self, prompts: Sequence[list[int]], max_tokens: int, *draw: Draw
    ) -> list[list[int]]:
        """The ids that follow each prompt, in one batch: the likeliest, or drawn."""
        self._be_greedy()
        ids, mask = left_padded(prompts, pad_id=self._pad_id, device=self._device)
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

    def _be_greedy(self) -> None:
        # The model's own generation settings may sample or punish repetition: only its stop
        # tokens are kept, so that both models are asked in the same way.
        self._model.generation_config = GenerationConfig(
            eos_token_id=self._stops, pad_token_id=self._pad_id
        )

    def _prompt(self, question: str) -> list[int]:
        return self._prompt_builder.prompt([Message(role="user", content=question)])


class _Teller(TextStreamer):  # type: ignore[misc]  # transformers is not followed
    """Hands on what a model writes, from its first word on, in place of printing it."""

    def __init__(self, tokenizer: Any, log: Callable[[str], None]) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._say = log
        self._begun = False

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:  # noqa: ARG002
        text = text if self._begun else text.lstrip()
        if text:
            self._begun = True
            self._say(text)
