"""Pictures and sound: refused by the names of their columns, with what leaves a conversation."""

from pathlib import Path
from typing import Any

import pytest

from ftdist.library.readers.rows.media import refuse_media
from ftdist.library.schema import BadRow, BadRowError, Conversation
from tests.support.documents.read_rows import exchange, read_row, turns

QA = {"question": "Q?", "answer": "A."}


@pytest.mark.parametrize("key", ["image", "images", "audio", "Videos"])
def test_columns_of_media_can_be_dropped(tmp_path: Path, key: str) -> None:
    row = QA | {key: ["a.png"]}
    bad = read_row(tmp_path, row)
    assert isinstance(bad, BadRow)
    assert bad.reason == f"has {key}, and only text is supported"
    assert bad.remedy.startswith(f"Set library.drop_columns=[{key}] ")
    assert turns(read_row(tmp_path, row, drop_columns=(key,)))[1] == ("assistant", "A.")


@pytest.mark.parametrize(
    "row",
    [
        {"images": ["a.png"], "answer": "A."},
        {"images": ["a.png"], "question": "<image>What is it?", "answer": "A lamp."},
    ],
)
def test_rows_that_need_their_picture_are_left_out(tmp_path: Path, row: dict[str, Any]) -> None:
    bad = read_row(tmp_path, row)
    assert isinstance(bad, BadRow)
    assert bad.remedy == "Leave the row out: its text alone is no conversation."


@pytest.mark.parametrize(
    "value",
    [
        {"bytes": b"\x89PNG", "path": None},
        [{"bytes": b"\x89PNG", "path": "a.png"}],
        {"array": [0.1, 0.2], "sampling_rate": 16000, "path": "a.wav"},
    ],
)
def test_media_of_datasets_are_known_by_their_form(value: Any) -> None:
    with pytest.raises(BadRowError, match="has shot, and only text is supported"):
        refuse_media(QA | {"shot": value}, parse=lambda row: row)
    refuse_media(QA | {"images": [], "audio": None, "image": False}, parse=lambda row: row)


def test_a_picture_within_a_message_is_refused_by_name(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {}}]
    messages = [{"role": "user", "content": parts}, exchange("", "A lamp.")[1]]
    bad = read_row(tmp_path, {"messages": messages})
    assert not isinstance(bad, Conversation)
    assert "contains a part of type 'image_url' in message 1 (user), and only text" in bad.reason  # type: ignore[union-attr]
