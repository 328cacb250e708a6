"""Whose config a file is, and files that are none."""

from pathlib import Path

import pytest

from ftdist.config.compose import compose_curation
from ftdist.config.hydra_adapter import parse_override
from ftdist.config.migrate.convert import convert
from ftdist.config.migrate.draft import hydra_value
from ftdist.errors import ConfigError
from tests.support.documents.read_rows import read_row, turns
from tests.support.migration import FOLDER


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_the_content_tells_whose_config_it_is(tmp_path: Path) -> None:
    assert convert(str(FOLDER / "axolotl.yaml")).trainer == "Axolotl"
    yaml = FOLDER / "llamafactory" / "train_full.yaml"
    assert convert(str(yaml)).trainer == "LLaMA-Factory"
    info = written(tmp_path, "anything.json", '{"one": {"file_name": "a.json"}}')
    assert convert(info).lines() == [f"library.path={tmp_path / 'a.json'}"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dataset_info.json",
         '{"d": {"file_name": "a.jsonl", "formatting": "sharegpt",'
         ' "tags": {"role_tag": "speaker", "content_tag": "txt"}}}'),
        ("axolotl.yaml",
         "base_model: org/base\n"
         "datasets: [{path: a.jsonl, type: chat_template, field_messages: conversations,"
         " message_property_mappings: {role: speaker, content: txt}}]"),
    ],
)  # fmt: skip
def test_rows_with_keys_of_their_own_are_read_with_the_converted_config(
    tmp_path: Path, name: str, text: str
) -> None:
    keys = [key for key in convert(written(tmp_path, name, text)).lines() if ".columns" in key]
    columns = compose_curation(["library.name=x", "library.sources=[x]", *keys]).library.columns
    row = {"conversations": [{"speaker": "user", "txt": "Torque?"},
                             {"speaker": "assistant", "txt": "25 Nm."}]}  # fmt: skip
    read = read_row(tmp_path, row, columns=columns)
    assert turns(read) == [("user", "Torque?"), ("assistant", "25 Nm.")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1\nb: 2", "no valid YAML in line 2"),
        ("a: !!python/object/apply:os.system [ls]", "no valid YAML in line 1"),
        ("{% if x %}\nbase_model: m\n{% endif %}", "no valid YAML in line 1"),
        ("- a\n- b", "holds no keys and values"),
        ("", "holds no keys and values"),
        ("lr: 3", "no config that ftdist knows"),
    ],
)
def test_what_is_no_config_is_refused_with_its_line(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        convert(written(tmp_path, "a.yaml", text))


def test_json_that_cannot_be_read_and_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no valid JSON in line 1"):
        convert(written(tmp_path, "dataset_info.json", '{"a": '))
    with pytest.raises(ConfigError, match="No such file"):
        convert(str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigError, match="Is a directory"):
        convert(str(tmp_path))
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(ConfigError, match="is no UTF-8 text"):
        convert(str(tmp_path / "bytes.yaml"))


def test_scripts_and_data_are_no_configs() -> None:
    with pytest.raises(ConfigError, match="is Python, which ftdist does not run"):
        convert("sft.py")
    with pytest.raises(ConfigError, match="is data, not a config") as caught:
        convert(str(FOLDER / "openai_chat.jsonl"))
    assert caught.value.remedy.startswith("name it in library.path")


def test_a_name_after_a_file_without_names_is_refused() -> None:
    with pytest.raises(ConfigError, match="'pump' names nothing"):
        convert(f"{FOLDER / 'axolotl.yaml'}:pump")


@pytest.mark.parametrize(
    "text",
    ["Be brief, 'please': {x}.", "true", "12", "C:\\data", "two\nlines", 'a "b"', "a=b", "null"],
)
def test_every_text_reaches_the_config_unchanged(text: str) -> None:
    parsed = parse_override(f"library.system_prompt={hydra_value(text)}")
    assert parsed is not None
    assert parsed.value == text


def test_numbers_are_written_as_people_write_them() -> None:
    assert [hydra_value(number) for number in (1e-05, 0.1, 3.0, 2000)] == [
        *("1e-5", "0.1", "3", "2000"),
    ]
    assert hydra_value({"question": "my column"}) == "{question: 'my column'}"
