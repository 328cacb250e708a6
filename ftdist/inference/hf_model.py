"""A Hugging Face model for greedy generation and log-likelihoods, with plain transformers.

The model is loaded as any other program would load it, so evaluations measure what a user gets.
Questions of similar length share a batch, because decoding a token reads all weights once per
batch.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import shorten

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList
from transformers.utils import logging

from ftdist.data.messages import Message
from ftdist.data.prompt_builder import PromptBuilder
from ftdist.data.thoughts import ThoughtSplitter, is_unfinished, split_thought
from ftdist.dist.device import TORCH_DTYPE, Device, Dtype, torch_device, use_device
from ftdist.errors import DataError, ModelError
from ftdist.inference.batch_progress import BatchProgress, OnToken
from ftdist.inference.batching import MAX_PROMPT_TOKENS, by_length, left_padded
from ftdist.inference.loading import inference_dtype, load_model
from ftdist.inference.loglikelihood import LoglikelihoodScorer, Progress
from ftdist.inference.sampling import SeededTopPSampling
from ftdist.inference.streaming import SplitStreamer


class HFModel:
    """A loaded model with its tokenizer.

    Args:
        folder: Hugging Face model folder with safetensors weights.
        device: where the model computes.
        dtype: in which it computes; None: `inference_dtype`.
        gpu: index of the GPU among those visible to this process; None: the layers are placed on
            all of them, and what does not fit stays on the CPU.
        system_prompt: put before every question; None: as the chat template does by itself.
        chat_template: used if the tokenizer has none.
        fixed_opening: whether prompts include what the template writes before an answer without
            a thought (`PromptBuilder`).
        threads: CPU threads; 0: one per core of this process.

    Raises:
        ModelError: the folder cannot be loaded, or there is no chat template.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        device: Device,
        dtype: Dtype | None = None,
        gpu: int | None = 0,
        system_prompt: str | None = None,
        chat_template: str | None = None,
        fixed_opening: bool = False,
        threads: int = 0,
    ) -> None:
        torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
        logging.disable_progress_bar()
        self._device = torch_device(device, local_rank=gpu or 0)
        self.model, self.tokenizer = load_model(
            folder,
            dtype=TORCH_DTYPE[dtype or inference_dtype(folder, device=device)],
            device_map="auto" if gpu is None else {"": self._device},
        )
        if gpu is not None:
            use_device(self._device)
        self.tokenizer.chat_template = self.tokenizer.chat_template or chat_template
        if self.tokenizer.chat_template is None:
            raise ModelError(
                f"The tokenizer in {folder} has no chat template.",
                remedy="add chat_template.jinja to the folder.",
            )
        text_config = self.model.config.get_text_config()
        self._max_positions: int | None = getattr(text_config, "max_position_embeddings", None)
        self._prompt_builder = PromptBuilder(
            self.tokenizer, system_prompt=system_prompt, fixed_opening=fixed_opening,
            embedding_rows=self.model.get_input_embeddings().weight.shape[0],
        )  # fmt: skip
        self._stop_ids = self._prompt_builder.ends(self.model.generation_config.eos_token_id)
        if not self._stop_ids:
            raise ModelError(
                f"No file in {folder} names a token that ends an answer.",
                remedy='set "eos_token_id" in generation_config.json.',
            )
        pad = self.tokenizer.pad_token_id
        self._pad_id: int = pad if pad is not None else self._stop_ids[0]
        self._scorer = LoglikelihoodScorer(
            model=self.model, tokenizer=self.tokenizer, pad_id=self._pad_id, device=self._device
        )

    @property
    def on_gpu(self) -> bool:
        """Whether it computes on a GPU."""
        return self._device.type == "cuda"

    @property
    def is_offloaded(self) -> bool:
        """Whether some weights do not fit on the GPUs and are copied there for each use."""
        devices = getattr(self.model, "hf_device_map", {}).values()
        return self.on_gpu and not {"cpu", "disk"}.isdisjoint(devices)

    def answer(
        self,
        questions: Sequence[str],
        *,
        max_tokens: int,
        batch: int,
        progress: Progress | None = None,
    ) -> list[str]:
        """The greedy answer to each question with its thought, in the order of the questions.

        It can be trained on: an answer that ends within its thought is "".

        Args:
            questions: user messages, each in a conversation of its own.
            max_tokens: maximum length of an answer.
            batch: questions per batch.
            progress: called after each batch with its number of questions.
        """
        answers = self._answers(questions, max_tokens=max_tokens, batch=batch, progress=progress)
        return ["" if is_unfinished(text) else text for text, _ in answers]

    def answer_with_truncation(
        self,
        questions: Sequence[str],
        *,
        max_tokens: int,
        batch: int,
        progress: Progress | None = None,
        on_token: OnToken | None = None,
    ) -> list[tuple[str, bool]]:
        """The answers without thoughts, each with whether it was truncated at `max_tokens`."""
        answers = self._answers(
            questions, max_tokens=max_tokens, batch=batch, progress=progress, on_token=on_token
        )
        return [(split_thought(text).answer, is_truncated) for text, is_truncated in answers]

    def _answers(
        self,
        questions: Sequence[str],
        *,
        max_tokens: int,
        batch: int,
        progress: Progress | None,
        on_token: OnToken | None = None,
    ) -> list[tuple[str, bool]]:
        prompts = [self._prompt(question) for question in questions]
        answers = [("", False)] * len(questions)
        for indices in by_length(prompts, batch=batch, max_tokens=MAX_PROMPT_TOKENS):
            group = [prompts[index] for index in indices]
            watching = [] if on_token is None else [BatchProgress(group, max_tokens, on_token)]
            outputs = self._generate(group, max_tokens, *watching)
            for index, ids in zip(indices, outputs, strict=True):
                answers[index] = (
                    self._prompt_builder.text(prompts[index], ids),
                    set(self._stop_ids).isdisjoint(ids),
                )
            if progress is not None:
                progress(len(indices))
        return answers

    def check_room(self, questions: Sequence[str], *, max_tokens: int) -> None:
        """Check that every question and its answer fit into the model's context.

        Raises:
            DataError: one does not fit.
        """
        for question in questions:
            size = len(self._prompt(question))
            if self._max_positions is not None and size + max_tokens > self._max_positions:
                excerpt = shorten(question, 60, placeholder="...")
                raise DataError(
                    f"The question {excerpt!r} has {size} tokens and its answer up to "
                    f"{max_tokens}, more than the model's context of {self._max_positions}.",
                    remedy="shorten it, or set eval.max_new_tokens lower.",
                )

    def continue_texts(
        self, openings: Sequence[str], *, seeds: Sequence[int], max_tokens: int, batch: int
    ) -> list[str]:
        """Sample a plain text from each opening, without a chat template.

        Args:
            openings: first words of each text.
            seeds: one per opening: the same seed gives the same text in any batch.
            max_tokens: maximum number of tokens after the opening.
            batch: texts per batch.

        Returns:
            the texts with their openings.
        """
        prompts = [self.tokenizer(opening)["input_ids"] for opening in openings]
        prompts = [ids[:-1] if ids[-1] in self._stop_ids else ids for ids in prompts]
        texts = [""] * len(openings)
        for indices in by_length(prompts, batch=batch):
            sampling = SeededTopPSampling([seeds[index] for index in indices])
            outputs = self._generate([prompts[index] for index in indices], max_tokens, sampling)
            for index, ids in zip(indices, outputs, strict=True):
                text = self.tokenizer.decode(prompts[index] + ids, skip_special_tokens=True)
                texts[index] = text.strip()
        return texts

    def choice_loglikelihoods(
        self,
        questions: Sequence[str],
        choices: Sequence[Sequence[str]],
        *,
        batch: int,
        progress: Progress | None = None,
    ) -> list[list[float]]:
        """Log-likelihood of each choice as the answer to its question, in nats per UTF-8 byte.

        The sum of the log-probabilities of the choice's tokens, divided by the choice's length,
        so that a short choice has no advantage; bytes, since they do not depend on the tokenizer.
        """
        scored = [
            self._prompt_builder.scored(question, of_question)
            for question, of_question in zip(questions, choices, strict=True)
        ]
        sizes = [[len(choice.encode()) for choice in of_question] for of_question in choices]
        sums = self._scorer.answer_loglikelihoods(
            [prompt for prompt, _ in scored],
            [answers for _, answers in scored],
            batch=batch,
            progress=progress,
        )
        return [
            [nats / size for nats, size in zip(*of_question, strict=True)]
            for of_question in zip(sums, sizes, strict=True)
        ]

    def text_losses(
        self, texts: Sequence[str], *, batch: int, progress: Progress | None = None
    ) -> list[tuple[float, int]]:
        """Summed loss of each text in nats, and its number of predicted tokens."""
        return self._scorer.text_losses(texts, batch=batch, progress=progress)

    def stream_reply(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        log: Callable[[str], None],
        log_thought: Callable[[str], None] = lambda _: None,
    ) -> str:
        """The greedy answer to a conversation, streamed while it is generated.

        Args:
            messages: of user and assistant in turn, the user's last.
            max_tokens: maximum length of the answer.
            log: called with each piece of the answer as soon as its words are complete.
            log_thought: called with the thought before the answer, if there is one.

        Returns:
            the message, with its thought.
        """
        self._set_greedy()
        prompt = self._prompt_builder.prompt(messages)
        splitter = ThoughtSplitter(on_thought=log_thought, on_answer=log)
        splitter.feed(self._prompt_builder.open_thought(prompt))
        ids = torch.tensor([prompt], device=self._device)
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_tokens,
                do_sample=False, streamer=SplitStreamer(self.tokenizer, splitter),
            )  # fmt: skip
        return self._prompt_builder.text(prompt, out[0, ids.shape[1] :].tolist())

    def has_room(self, messages: Sequence[Message], *, max_tokens: int) -> bool:
        """Whether a conversation and its answer fit into the model's context."""
        size = len(self._prompt_builder.prompt(messages)) + max_tokens
        return self._max_positions is None or size <= self._max_positions

    def _generate(
        self, prompts: Sequence[list[int]], max_tokens: int, *processors: LogitsProcessor
    ) -> list[list[int]]:
        """The generated ids after each prompt, in one batch: greedy, or sampled."""
        self._set_greedy()
        ids, mask = left_padded(prompts, pad_id=self._pad_id, device=self._device)
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=max_tokens,
                do_sample=False, logits_processor=LogitsProcessorList(processors),
            )  # fmt: skip
        generated: list[list[int]] = out[:, ids.shape[1] :].tolist()
        return generated

    def _set_greedy(self) -> None:
        # The model's own generation config may sample or penalise repetition. Only its stop tokens
        # are used, so that all models are evaluated alike.
        self.model.generation_config = GenerationConfig(
            eos_token_id=self._stop_ids, pad_token_id=self._pad_id
        )

    def _prompt(self, question: str) -> list[int]:
        return self._prompt_builder.prompt([Message(role="user", content=question)])
