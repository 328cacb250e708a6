"""Prompts for generation, tokenised exactly as in training.

A chat template may write something of its own between prompt and answer, such as an empty thought
before an answer that has none. A model that has learned answers with thoughts writes that itself;
for one that never learned another beginning, the prompt may include it.
"""

from collections.abc import Sequence
from typing import Any

from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.messages import Chat, Message
from ftdist.data.thoughts import BEGIN, opens_thought


class PromptBuilder:
    """Tokenises prompts and answers.

    Args:
        tokenizer: has a chat template.
        system_prompt: put before conversations that have no system message; None: as the chat
            template does by itself.
        fixed_opening: whether each trained conversation's last answer begins with what the
            template writes before an answer without a thought. It is then part of the prompt,
            which spares a base model that thinks by itself from being asked otherwise.
        embedding_rows: of the model; None: unknown.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        system_prompt: str | None,
        fixed_opening: bool = False,
        embedding_rows: int | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._encoder = ChatEncoder(
            tokenizer, system_prompt=system_prompt, embedding_rows=embedding_rows
        )
        opening = self._encoder.opening
        # Blanks belong to the answer's first word.
        self._opening = opening if tokenizer.decode(opening).strip() else []
        self._fixed_opening = fixed_opening

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """A conversation up to where the answer begins."""
        return self._encoder.prompt(Chat(messages)) + (self._opening if self._fixed_opening else [])

    def answer(self, text: str) -> list[int]:
        """What training has after the template's own prompt: an answer, without its turn's end."""
        return self._encoder.answer(text)

    def scored(self, question: str, choices: Sequence[str]) -> tuple[list[int], list[list[int]]]:
        """A prompt and the tokens of each answer to it whose likelihoods are compared.

        An opening that all answers share is in the prompt: it would count for short answers more
        than for long ones.
        """
        prompt = self._encoder.prompt(Chat([Message(role="user", content=question)]))
        answers = [self.answer(choice) for choice in choices]
        shared = len(self._opening)
        if any(answer[:shared] != self._opening or len(answer) <= shared for answer in answers):
            return prompt, answers
        return prompt + self._opening, [answer[shared:] for answer in answers]

    def text(self, prompt: Sequence[int], ids: Sequence[int]) -> str:
        """What a model wrote after a prompt, with the beginning of a thought in the prompt."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return f"{self.open_thought(prompt)}{text}".strip()

    def open_thought(self, prompt: Sequence[int]) -> str:
        """The beginning of a thought with which a prompt ends, or ""."""
        return f"{BEGIN}\n" if opens_thought(self._tokenizer.decode(prompt)) else ""

    def ends(self, named: int | Sequence[int] | None) -> list[int]:
        """Tokens that end an answer.

        Args:
            named: those of the model's generation config.
        """
        own = [] if self._tokenizer.eos_token_id is None else [self._tokenizer.eos_token_id]
        first = [named] if isinstance(named, int) else list(named or [])
        return list(dict.fromkeys([*first, *self._encoder.end_of_turn, *own]))
