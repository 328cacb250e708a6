"""A curated library as others have it: `datasets`, the card, another curation."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import datasets
import pytest
from huggingface_hub import DatasetCard
from pyarrow import parquet

from ftdist.config.compose import compose_curation
from ftdist.errors import DataError
from ftdist.library.pipeline import curate
from ftdist.library.store.dataset import open_curated
from ftdist.library.store.files_to_push import files_to_push
from ftdist.library.store.samples import read_samples
from tests.support.loopback_hub import loopback_hub

_MANUAL = """# Widget

## Reset

To reset the widget, hold the green button for 9 seconds until the lamp blinks twice.

## FAQ

### How long is the warranty?

The warranty of the widget is 4 years from the day of purchase.
"""


_TOOL = {"type": "function", "function": {"name": "torque", "parameters": {"type": "object"}}}
_CALL = {
    "type": "function",
    "function": {"name": "torque", "arguments": '{"bolt": "M8"}'},
    "id": "1",
}
_TOOL_CHAT: list[dict[str, Any]] = [
    {"role": "user", "content": "What is the torque of M8?"},
    {"role": "assistant", "content": "", "tool_calls": [_CALL]},
    {"role": "tool", "content": "25 Nm", "tool_call_id": "1"},
    {"role": "assistant", "content": "It is 25 Nm."},
]


def make(tmp_path: Path, sources: dict[str, str], *more: str) -> Path:
    """A library of files by name and text."""
    for name, text in sources.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return curate_sources(tmp_path, [str(tmp_path / name) for name in sources], *more)


def curate_sources(tmp_path: Path, sources: list[str], *more: str) -> Path:
    keys = [
        "library.name=widget",
        f"library.root={tmp_path / 'libraries'}",
        f"library.sources=[{','.join(sources)}]",
        f"work.cache_dir={tmp_path / 'cache'}",
        "work.num_proc=1",
        "split.decontamination_ngram=30",
        "split.num_out_of_scope_probes=2",
        "clean.dedup=false",
        *more,
    ]
    return curate(compose_curation(keys), model=None, log=lambda _: None).folder


def chats(number: int) -> str:
    """Questions that share no words with each other."""
    rows = (
        [
            {"role": "user", "content": f"What is part {at}a{at} of {at}b{at}?"},
            {"role": "assistant", "content": f"It is {at}c{at} and {at}d{at}."},
        ]
        for at in range(number)
    )
    return "".join(json.dumps({"messages": row}) + "\n" for row in rows)


def load(folder: Path, *config: str, cache: Path) -> Any:
    return datasets.load_dataset(str(folder), *config, cache_dir=str(cache))


def as_row(sample: Any) -> dict[str, Any]:
    messages, context = list(sample.messages), sample.context or None
    return {**asdict(sample), "messages": messages, "context": context}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(
        tmp_path_factory.mktemp("made"),
        {"manual.md": _MANUAL, "chats.jsonl": chats(40)},
        "split.held_out_conversations=0.1",
        "library.license=cc-by-4.0",
    )


def test_datasets_loads_what_ftdist_trains_on(library: Path, tmp_path: Path) -> None:
    loaded = load(library, cache=tmp_path)
    sources = open_curated(library).sources
    for split in ("train", "held_out"):
        own = [
            {**as_row(sample), "source": source.name, "source_role": "library"}
            for source in sorted(sources, key=lambda source: source.name)
            for sample in read_samples(source.train if split == "train" else source.held_out)
        ]
        for row in own:
            del row["tools"]  # which no conversation of this library has
        assert loaded[split].to_list() == own
    assert len(loaded["held_out"])
    manual = loaded["train"].filter(lambda row: row["source"] == "manual")
    assert {row["location"].partition(",")[0] for row in manual} == {"manual: manual.md"}


def test_datasets_loads_the_probes_that_ftdist_asks(library: Path, tmp_path: Path) -> None:
    loaded = load(library, "probes", cache=tmp_path)
    own = [json.loads(line) for line in (library / "probes.jsonl").read_text().splitlines()]
    assert {row["kind"] for row in own} == {"fact", "out_of_scope"}
    named = [{k: v for k, v in row.items() if v or k == "keys"} for row in loaded["test"]]
    assert named == own


def test_datasets_loads_from_the_hub_what_was_uploaded(library: Path, tmp_path: Path) -> None:
    files = {
        name: content if isinstance(content, bytes) else content.read_bytes()
        for name, content in files_to_push(library).items()
    }
    code = "import datasets; print(datasets.load_dataset('org/widget').num_rows)"
    with loopback_hub() as hub:
        hub.add("org/widget", files)
        clean = {n: value for n, value in os.environ.items() if not n.startswith("HF_")}
        loaded = subprocess.run(
            [sys.executable, "-c", code],
            env=clean | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    sources = open_curated(library).sources
    numbers = {
        part: sum(len(list(read_samples(getattr(source, part)))) for source in sources)
        for part in ("train", "held_out")
    }
    assert loaded.stdout.strip() == str(numbers), loaded.stderr


def test_the_card_gives_datasets_columns_and_sizes(library: Path, tmp_path: Path) -> None:
    info = datasets.load_dataset_builder(str(library), cache_dir=str(tmp_path)).info
    files = sorted((library / "data").glob("*-train.parquet"))
    assert info.features == datasets.Features.from_arrow_schema(parquet.read_schema(files[0]))
    train = info.splits["train"]
    assert train.num_examples == sum(parquet.read_metadata(file).num_rows for file in files)
    tables = datasets.load_dataset(str(library), split="train", cache_dir=str(tmp_path))
    assert train.num_bytes == pytest.approx(tables.data.nbytes, rel=0.02)


def test_the_card_says_what_the_library_is_and_names_no_folder(library: Path) -> None:
    card = DatasetCard.load(library / "README.md")
    assert card.data.pretty_name == "widget"
    assert card.data.license == "cc-by-4.0"
    assert card.data.size_categories == ["n<1K"]
    assert card.data.tags == ["ftdist"]
    assert "curated by ftdist from 2 files" in card.text
    assert "| chats | library | 40 | 0 | 0 |" in card.text
    for private in (str(library.parents[1]), str(Path.home()), "manual.md"):
        assert private not in card.content


def test_the_manifest_has_the_mix_that_reports_show(library: Path) -> None:
    mix = json.loads((library / "manifest.json").read_text())["mix"]
    assert set(mix) == {"manual", "chats"}
    assert sum(source["share"] for source in mix.values()) == pytest.approx(1, abs=1e-3)


@pytest.fixture(scope="module")
def tool_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of one chat with a tool, without a licence and held-out rows."""
    row = json.dumps({"messages": _TOOL_CHAT, "tools": [_TOOL]})
    folder = tmp_path_factory.mktemp("made")
    return make(folder, {"calls.jsonl": f"{row}\n"}, "split.held_out_conversations=0")


def test_a_card_without_a_license_says_that_it_is_unknown(tool_library: Path) -> None:
    card = DatasetCard.load(tool_library / "README.md")
    assert card.data.license is None
    assert "Unknown: whoever curated this library stated none" in card.text


def test_datasets_loads_chats_with_tools(tool_library: Path, tmp_path: Path) -> None:
    loaded = load(tool_library, cache=tmp_path)
    assert list(loaded) == ["train"]  # `datasets` reads no empty split
    row = loaded["train"][0]
    assert json.loads(row["tools"]) == [_TOOL]
    absent: dict[str, Any] = {"tool_calls": None, "tool_call_id": None}
    assert row["messages"] == [{**absent, **message} for message in _TOOL_CHAT]
    card = (tool_library / "README.md").read_text()
    assert "| `tool_calls` | calls of functions, their arguments as JSON text |" in card
    assert "reasoning_content" not in card


def test_a_library_is_a_source_of_another_by_its_training_samples_alone(
    library: Path, tmp_path: Path
) -> None:
    folder = curate_sources(tmp_path, [f"old={library}"], "synthesis.paraphrases=1")
    manifest = json.loads((folder / "manifest.json").read_text())
    names = [file["name"] for file in manifest["files"]]
    assert names == ["data/chats-train.parquet", "data/manual-train.parquet"]
    contexts = [
        {
            sample.context
            for source in open_curated(each).sources
            for sample in read_samples(source.train)
        }
        for each in (library, folder)
    ]
    assert contexts[0] == contexts[1] != {""}


def test_a_library_of_an_older_format_is_refused(library: Path, tmp_path: Path) -> None:
    manifest = json.loads((library / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"format": 1}))
    with pytest.raises(DataError, match="it is of format 1") as caught:
        open_curated(tmp_path)
    assert caught.value.remedy == "curate the library again."
