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
    """The last messages of the rows, read by the migrated config: none refused, no key lost."""
    library = compose([*migration.lines(), "model.path=m", "run.name=r"]).library
    path = Path(library.path)
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    settings = RowSettings(columns=library.columns, preferences=library.preferences)
    read = list(read_conversations(path, name=path.name, settings=settings))
    assert [row for row in read if not isinstance(row, Conversation)] == []
    conversations = [row for row in read if isinstance(row, Conversation)]
    notes = {note.rule for row in conversations for note in row.notes}
    assert not [note for note in notes if note.startswith("unused")]
    return [row.messages[-1] for row in conversations]


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


ASKED = {"who": "user", "said": "Reset?"}
HELD = {"who": "assistant", "said": "Hold the blue key."}
HIT = {"who": "assistant", "said": "Hit it."}
TOOL = '[{"type": "function", "function": {"name": "reset", "parameters": {}}}]'


@pytest.mark.parametrize(
    ("entry", "row"),
    [
        (
            {"columns": {"prompt": "ask", "query": "more", "response": "said", "system": "rule"}},
            {"ask": "Reset?", "more": "Pump 7", "said": HELD["said"], "rule": "Be brief."},
        ),
        (
            {"columns": {"prompt": "ask", "response": "said", "history": "past"}},
            {"ask": "Reset?", "said": HELD["said"], "past": [["Hello", "Hi."]]},
        ),
        (
            {
                "formatting": "sharegpt",
                "columns": {"messages": "talk", "system": "rule", "tools": "functions_7"},
                "tags": {"role_tag": "who", "content_tag": "said"},
            },
            {"talk": [ASKED, HELD], "rule": "Be brief.", "functions_7": TOOL},
        ),
        (
            {
                "formatting": "sharegpt",
                "ranking": True,
                "columns": {"messages": "talk", "chosen": "good", "rejected": "bad"},
                "tags": {"role_tag": "who", "content_tag": "said"},
            },
            {"talk": [ASKED], "good": HELD, "bad": HIT},
        ),
    ],
)
def test_rows_of_llama_factory_under_names_of_their_own(
    tmp_path: Path, entry: dict[str, Any], row: dict[str, Any]
) -> None:
    assert learned(llamafactory(tmp_path, **entry), [row]) == [GOOD]


@pytest.mark.parametrize(
    ("entry", "row"),
    [
        (
            {"type": {"field_instruction": "ask", "field_output": "said", "field_system": "rule"}},
            {"ask": "Reset?", "said": HELD["said"], "rule": "Be brief."},
        ),
        (
            {
                "field_messages": "talk",
                "message_field_role": "who",
                "message_field_content": "said",
            },
            {"talk": [ASKED, HELD]},
        ),
        (
            {"field_messages": "talk", "field_tools": "functions_7", "field_system": "rule"}
            | {"message_property_mappings": {"role": "who", "content": "said"}},
            {"talk": [ASKED, HELD], "functions_7": TOOL, "rule": "Be brief."},
        ),
    ],
)
def test_rows_of_axolotl_under_names_of_their_own(
    tmp_path: Path, entry: dict[str, Any], row: dict[str, Any]
) -> None:
    assert learned(axolotl(tmp_path, dataset=entry), [row]) == [GOOD]


def test_pairs_of_axolotl_under_names_of_their_own(tmp_path: Path) -> None:
    entry = {
        **{"field_messages": "talk", "field_chosen": "good", "field_rejected": "bad"},
        "message_property_mappings": {"role": "who", "content": "said"},
    }
    row = {"talk": [ASKED], "good": HELD, "bad": HIT}
    assert learned(axolotl(tmp_path, rl="dpo", dataset=entry), [row]) == [GOOD]
