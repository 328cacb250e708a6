"""The page for those who come from elsewhere: its commands run, its keys exist."""

import re
import shlex
import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import ftdist_launch.subprocesses
import pytest

from ftdist.cli.main import main
from ftdist.config.keys import CURATE, TRAIN, find_key
from ftdist.config.migrate.axolotl import convert_axolotl
from ftdist.config.migrate.llamafactory import convert_dataset, convert_training
from tests.support.migration import FOLDER
from tests.support.models.tiny_models import save_tiny_model
from tests.support.runs.tiny_runs import write_tokenizer
from tests.support.tiers import TESTS

PAGE = (TESTS.parent / "docs" / "how-to" / "migrate.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line)[1:] for line in re.findall(r"^    (ftdist .+)$", PAGE, re.MULTILINE)]
NEED_A_RUN = {"compare", "export", "chat", "resume"}
TEMPLATE = (
    "{% if tools %}{{ '<|im_start|>system\n' + (tools | tojson) + '<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content }}"
    "{% for call in m.tool_calls or [] %}{{ '\n' + call.function.name + ' ' }}"
    "{{ call.function.arguments | tojson }}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page's commands name: a model M, OpenAI's files, other trainers' configs."""
    folder = tmp_path_factory.mktemp("migration")
    save_tiny_model(folder / "M", "llama", max_position_embeddings=4096)
    write_tokenizer(folder / "M")
    (folder / "M" / "chat_template.jinja").write_text(TEMPLATE)
    for file in [*FOLDER.iterdir(), *(FOLDER / "llamafactory").iterdir()]:
        if file.is_file():
            shutil.copy(file, folder)
    return folder


def run_here(module: str, arguments: Sequence[str]) -> None:
    """In place of a child process, which would import torch once more."""
    import_module(module).main(list(arguments))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_commands_of_the_page_run(
    command: list[str],
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verb, *words = command
    if verb in NEED_A_RUN:
        keys = [word.split("=")[0] for word in words if "=" in word]
        assert [key for key in keys if find_key(key) is None] == []
        return
    monkeypatch.chdir(files)
    monkeypatch.setattr(ftdist_launch.subprocesses, "run_child", run_here)
    # What `train` would do before its first step; it needs no run that lasts.
    code = main(["plan" if verb == "train" else verb, *words])
    assert code == 0, "".join(capsys.readouterr())


def tables() -> list[list[str]]:
    """The cells of every row of the page's tables."""
    rows = [line.strip("|").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows]


def test_every_key_of_ftdist_in_the_tables_exists() -> None:
    groups = {*TRAIN.groups, *CURATE.groups}
    named = {
        name
        for row in tables()
        for cell in row[1:]
        for name in re.findall(r"`([a-z_]+\.[a-z_.A-Z]+)(?:=[^`]*)?`", cell)
        if name.split(".")[0] in {"run", "library", *groups} and not name.endswith(".jinja")
    }
    unknown = {name for name in named if find_key(name) is None}
    assert unknown == set()
    assert len(named) > 40


def section(title: str) -> str:
    """A section of the page, without its heading."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> set[str]:
    """The other trainer's keys of a section's tables."""
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([a-z_0-9]+\*?)`", row)}


OF_AXOLOTLS_DATASETS = {
    *("name", "split", "revision", "field", "text_column", "roles_to_train", "train_on_eos"),
    *("field_messages", "message_property_mappings", "message_field_training"),
    *("message_field_training_detail", "field_instruction", "field_input", "field_output"),
    *("field_system", "field_thinking", "split_thinking"),
}
MAPPINGS = {"message_property_mappings", "lr_scheduler_kwargs"}


def with_a_value(names: set[str]) -> dict[str, str | dict[str, str]]:
    """The keys as a config might give them."""
    return {name.replace("*", "r"): {} if name in MAPPINGS else "1" for name in names}


def test_the_axolotl_converter_knows_the_keys_of_the_page() -> None:
    keys = first_cells(section("From Axolotl")) - {"rl", "datasets"}
    named = with_a_value(keys)
    dataset = {key: value for key, value in named.items() if key in OF_AXOLOTLS_DATASETS}
    others = {key: value for key, value in named.items() if key not in dataset}
    assert len(others) > 30
    members = {"datasets": [{"path": "a.jsonl", **dataset}], **others}
    migration = convert_axolotl(members, path=Path("a.yaml"), ranks=1)
    assert [remark for remark in migration.remarks if "is not known" in remark.text] == []


def test_the_llama_factory_converter_knows_the_keys_of_the_page() -> None:
    of_info, of_yaml = section("From LLaMA-Factory").split("| train YAML |")
    named = with_a_value(first_cells(of_yaml) - {"stage"})
    given = {"dataset": "pump", "dataset_dir": str(FOLDER / "llamafactory")}
    migration = convert_training({**named, **given}, path=Path("a.yaml"), ranks=1)
    assert [remark for remark in migration.remarks if "is not known" in remark.text] == []
    entry = dict.fromkeys(first_cells(of_info) & {"subset", "split", "num_samples", "folder"}, "1")
    described = {"d": {"file_name": "a.json", **entry}}
    migration = convert_dataset(described, path=Path("dataset_info.json"), name="d")
    assert [remark for remark in migration.remarks if "is not known" in remark.text] == []
