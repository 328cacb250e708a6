"""Generated text, streamed."""

from typing import Any

from transformers import TextStreamer

from ftdist.data.thoughts import ThoughtSplitter


class SplitStreamer(TextStreamer):  # type: ignore[misc]  # transformers is not followed
    """Passes generated text to a `ThoughtSplitter`."""

    def __init__(self, tokenizer: Any, splitter: ThoughtSplitter) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._splitter = splitter

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """Called by transformers with each piece whose words are complete."""
        self._splitter.feed(text, is_end=stream_end)
