"""What becomes of thoughts: learned, or left out by the template."""

from collections.abc import Iterator

from ftdist.check.findings import Finding
from ftdist.check.reading import ReadRow
from ftdist.data.template_chat import Reasoning
from ftdist.data.thoughts import begin_thought


class ThoughtCheck:
    """Counts answers with thoughts, and those that are not learned because of one.

    Args:
        reasoning: `library.reasoning`.
    """

    def __init__(self, reasoning: Reasoning) -> None:
        self._reasoning = reasoning
        self._answers = self._thoughts = self._left_out = 0
        self._first = ""

    def add(self, read: ReadRow) -> None:
        """Look at a row."""
        conversation = read.conversation
        if conversation is None:
            return
        for message in conversation.messages:
            if message["role"] == "assistant" and message.get("weight", 1):
                self._answers += 1
                has_thought = message.get("reasoning_content") or begin_thought(message["content"])
                self._thoughts += bool(has_thought)
        [tokens] = read.samples
        if tokens.left_out:
            self._left_out += tokens.left_out
            self._first = self._first or str(conversation.location)

    def findings(self) -> Iterator[Finding]:
        """What was found; nothing if no answer has a thought."""
        if not self._thoughts:
            return
        check = "thoughts"
        if self._reasoning == "drop":
            yield Finding(
                check=check,
                status="ok",
                message=f"library.reasoning=drop takes {self._thoughts:,} thoughts out of "
                f"{self._answers:,} answers.",
            )
            return
        if not self._left_out:
            yield Finding(
                check=check,
                status="ok",
                message=f"{self._thoughts:,} of {self._answers:,} answers have a thought, and all "
                "are learned.",
            )
            return
        yield Finding(
            check=check,
            status="warning",
            message=f"{self._left_out:,} of {self._answers:,} answers are context and not learned, "
            "since the template leaves out thoughts of earlier turns (the first: "
            f"{self._first}).",
            remedy="split the conversations after each answer, set library.reasoning=drop to learn "
            "all answers without thoughts, or leave it if the last answers are enough.",
            other_trainers="They learn such answers without their thoughts, though the model would "
            "be prompted to think first.",
        )
