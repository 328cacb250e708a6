"""Rows read as another trainer's file describes them, once it is migrated."""

import json
from pathlib import Path
from typing import Any

import pytest

from ftdist.config.compose import compose
from ftdist.config.migrate.axolotl import convert_axolotl
from ftdist.config.migrate.draft import Migration
from ftdist.config.migrate.llamafactory import convert_dataset
from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.readers.rows.settings import RowSettings
from ftdist.library.schema import Conversation

GOOD = {"role": "assistant", "content": "Hold the blue key."}


def axolotl(folder: Path, **members: Any) -> Migration:
    entry = {"path": str(folder / "rows.jsonl"), **members.pop("dataset", {})}
    return convert_axolotl({"datasets": [entry], **members}, path=folder / "a.yaml", ranks=1)


def llamafactory(folder: Path, **members: Any) -> Migration:
    entry = {"file_name": "rows.jsonl", **members}
    return convert_dataset({"d": entry}, path=folder / "dataset_info.json", name="d")


def learned(migration: Migration, rows: list[dict[str, Any]]) -> list[Any]:
    """The last messages of the rows that the migrated config reads; no row is refused."""
    library = compose([*migration.lines(), "model.path=m", "run.name=r"]).library
    path = Path(library.path)
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    settings = RowSettings(columns=library.columns, preferences=library.preferences)
    read = list(read_conversations(path, name=path.name, settings=settings))
    assert [row for row in read if not isinstance(row, Conversation)] == []
    return [row.messages[-1] for row in read if isinstance(row, Conversation)]


@pytest.mark.parametrize("trainer", ["Axolotl", "LLaMA-Factory"])
def test_a_bad_answer_under_a_label_of_its_own_name_is_left_out(
    tmp_path: Path, trainer: str
) -> None:
    if trainer == "Axolotl":
        kind = {"field_prompt": "ask", "field_completion": "said", "field_label": "feedback"}
        migration = axolotl(tmp_path, rl="kto", dataset={"type": kind})
    else:
        columns = {"prompt": "ask", "response": "said", "kto_tag": "feedback"}
        migration = llamafactory(tmp_path, columns=columns)
    rows = [
        {"ask": "Reset?", "said": GOOD["content"], "feedback": True},
        {"ask": "Reset?", "said": "Hit it.", "feedback": False},
    ]
    assert learned(migration, rows) == [GOOD]


def test_a_bad_conversation_under_a_label_of_its_own_name_is_left_out(tmp_path: Path) -> None:
    columns = {"messages": "messages", "kto_tag": "feedback"}
    migration = llamafactory(tmp_path, formatting="sharegpt", columns=columns)
    messages = [{"role": "user", "content": "Reset?"}, GOOD]
    rows = [{"messages": messages, "feedback": good} for good in (True, False)]
    assert learned(migration, rows) == [GOOD]


def test_the_usual_names_of_a_type_for_preferences_are_read_beside_its_own(tmp_path: Path) -> None:
    migration = axolotl(tmp_path, rl="dpo", dataset={"type": {"field_prompt": "ask"}})
    rows = [{"ask": "Reset?", "chosen": GOOD["content"], "rejected": "Hit it."}]
    assert learned(migration, rows) == [GOOD]
