"""The stage in which a language model writes: questions about passages, wordings of questions.

It reads what is kept of one piece and leaves what was written, and checked, in one file:

CACHE/written/KEY.json  {"questions": {PASSAGE: [exchange]}, "wordings": {QUESTION: [wording]}}

What lacks replies, since the model refused prompts, has another name: they are asked again.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from ftdist.errors import DataError
from ftdist.io.hashing import fingerprint
from ftdist.io.jsonl import write_whole
from ftdist.io.progress import LogFn, no_log
from ftdist.library.retention.response_cache import ANSWERED_AT_ONCE, Ask, answered
from ftdist.library.samples import Sample
from ftdist.library.schema import Block, Document
from ftdist.library.stats import Account
from ftdist.library.synthesis.llm_outputs import (
    ask_for_questions,
    ask_for_wordings,
    claims,
    why_not,
    written_wordings,
)
from ftdist.library.synthesis.qa_extraction import Exchange

FORMAT = 1
"""Raised whenever the same replies would be taken in another way."""


@dataclass(kw_only=True)
class Writer:
    """A language model, and how much it is asked.

    Args:
        ask: gives its replies.
        key: fingerprint of the model and its settings.
        replies: JSON lines of what it said.
        questions: of each passage.
        wordings: of each question.
        log: is told how it goes on.
        has_spoken: whether it ever gave a reply.
    """

    ask: Ask
    key: str
    replies: Path
    questions: int
    wordings: int
    log: LogFn = no_log
    has_spoken: bool = False
    refused: dict[str, DataError] = field(default_factory=dict)
    """Prompts that it refuses, and why."""

    def replies_to(self, prompts: Sequence[str]) -> dict[str, str]:
        """What it says to prompts, now or before, where it says anything.

        Raises:
            DataError: it refuses whatever it is asked.
        """
        replies = dict(answered(prompts, ask=self._asked, cache=self.replies, log=self.log))
        self.has_spoken = self.has_spoken or bool(replies)
        return replies

    def end_if_mute(self) -> None:
        """Raise the first refusal if there were refusals alone."""
        if self.refused and not self.has_spoken:
            raise next(iter(self.refused.values()))

    def _asked(self, prompts: Sequence[str]) -> Sequence[str | DataError]:
        replies = self.ask(prompts)
        for prompt, reply in zip(prompts, replies, strict=True):
            if isinstance(reply, DataError):
                self.refused[prompt] = reply
            else:
                self.refused.pop(prompt, None)
                self.has_spoken = self.has_spoken or bool(reply.strip())
        if len(self.refused) >= ANSWERED_AT_ONCE:
            self.end_if_mute()
        return replies


@dataclass(kw_only=True)
class Written:
    """What was written for one piece, and believed."""

    questions: dict[str, list[Exchange]] = field(default_factory=dict)
    """By the passage's text."""

    wordings: dict[str, list[str]] = field(default_factory=dict)
    """By the question."""

    account: Account = field(default_factory=Account)
    refused: list[str] = field(default_factory=list)
    """Prompts to which there is no reply."""

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Read what `save` wrote; None: nothing was written."""
        if path is None:
            return cls()
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            questions={
                passage: [Exchange(**exchange) for exchange in exchanges]
                for passage, exchanges in values["questions"].items()
            },
            wordings=values["wordings"],
            account=Account.from_values(values["account"]),
        )

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(self), ensure_ascii=False))


@dataclass(frozen=True, kw_only=True)
class Matter:
    """What a writer is given of one row."""

    document: Document | None
    passages: Sequence[Sample]
    questions: Sequence[str]


def write_piece(
    rows: Callable[[], Iterable[Matter]], *, key: str, writer: Writer, cache: Path
) -> Path:
    """Have questions and wordings written for one piece, unless that has been done before.

    Args:
        rows: what the piece teaches; read only if it is needed, and more than once.
        key: fingerprint of those rows.
        writer: asked, as far as it has not said so before.
        cache: of the curation.

    Returns:
        the file of what was written.

    Raises:
        DataError: the writer refuses whatever it is asked.
    """
    settings = [FORMAT, key, writer.key, writer.questions, writer.wordings]
    path = _place(cache, settings)
    if path.is_file():
        return path
    written = Written()
    if writer.questions:
        _questions(rows(), writer=writer, into=written)
    if writer.wordings:
        new = [
            exchange.question for exchanges in written.questions.values() for exchange in exchanges
        ]
        asked = [question for row in rows() for question in row.questions]
        _wordings([*asked, *new], writer=writer, into=written)
    if written.refused:
        path = _place(cache, [*settings, written.refused])
    written.save(path)
    return path


def _place(cache: Path, parts: Sequence[object]) -> Path:
    return cache / "written" / f"{fingerprint(*parts)}.json"


def _refused(prompt: str, *, writer: Writer, into: Written, place: str, what: str) -> None:
    """Count a prompt that the writer refuses, if it does."""
    if error := writer.refused.get(prompt):
        into.refused.append(prompt)
        into.account.strike(
            f"no {what} written: the model refuses to be asked",
            place=place,
            excerpt=error.problem,
        )


def _questions(rows: Iterable[Matter], *, writer: Writer, into: Written) -> None:
    given = [(row.document, passage) for row in rows for passage in row.passages]
    prompts = [ask_for_questions(passage, count=writer.questions) for _, passage in given]
    replies = writer.replies_to(prompts)
    for (document, passage), prompt in zip(given, prompts, strict=True):
        _refused(prompt, writer=writer, into=into, place=passage.place, what="question")
        taken: dict[str, Exchange] = {}
        for claim in claims(replies.get(prompt, "")):
            reason = why_not(claim, passage)
            if reason:
                into.account.strike(
                    f"written question refused: it {_rule(reason)}",
                    place=passage.place,
                    excerpt=f"{claim.question} {claim.answer} ({reason})",
                )
            elif len(taken) < writer.questions:
                taken.setdefault(
                    claim.question.casefold(),
                    Exchange(
                        question=claim.question,
                        answer=claim.answer,
                        made_by="written",
                        section=passage.section,
                        page=_page_of(claim.quote, document),
                    ),
                )
        if taken:
            into.questions[passage.text] = list(taken.values())


def _rule(reason: str) -> str:
    """A reason without what it names, so that like ones are counted together."""
    return "says what the text does not" if reason.startswith("says ") else reason


def _page_of(quote: str, document: Document | None) -> int | None:
    """The page on which a quotation begins, where the document has pages."""
    if document is None:
        return None
    words = quote.casefold().split()

    def shared(block: Block) -> int:
        text = " ".join(block.text.casefold().split())
        return next(
            (size for size in range(len(words), 0, -1) if " ".join(words[:size]) in text), 0
        )

    paged = [block for block in document.blocks if block.page is not None]
    return max(paged, key=shared).page if paged else None


def _wordings(questions: Sequence[str], *, writer: Writer, into: Written) -> None:
    prompts = [ask_for_wordings(question, count=writer.wordings) for question in questions]
    replies = writer.replies_to(prompts)
    for question, prompt in zip(questions, prompts, strict=True):
        _refused(prompt, writer=writer, into=into, place=question, what="wording")
        reply: str = replies.get(prompt, "")
        taken, refused = written_wordings(reply, question=question, count=writer.wordings)
        if taken:
            into.wordings[question] = taken
        for wording in refused:
            into.account.strike(
                "written wording refused: it asks something else",
                place=question,
                excerpt=wording,
            )
