"""The dataset card of a library, README.md: what `datasets` and the Hub know it by.

Its front matter names the files of each split, their columns and sizes; its text says what the
library was made from. It names sources and never the folders that they are in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow

from ftdist.io.html import number
from ftdist.io.progress import count
from ftdist.library.card_sentences import wordings_sentence
from ftdist.library.dataset_card import plain

CARD = "README.md"

_SPLITS = {
    "default": {"train": "data/*-train.parquet", "held_out": "data/*-held_out.parquet"},
    "probes": {"test": "data/probes.parquet"},
}
"""The files of each split, by the name of a config."""

_SIZES = ((1_000, "1K"), (10_000, "10K"), (100_000, "100K"), (1_000_000, "1M"), (10_000_000, "10M"))

_COLUMNS = {
    "messages": "a conversation: `role` and `content` of each message, in order; empty for a text",
    "tools": "the functions that the assistant may call, as JSON text",
    "text": "a text to learn unchanged; empty for a conversation",
    "location": "file, page and row that it was read from",
    "section": "the headings above it",
    "context": "the passage that answers its first question, for context distillation",
    "made_by": "how it was made",
    "doc_id": "the document or conversation that it comes from",
    "source": "name of its source",
    "source_role": "library, or what keeps general knowledge: replay, out_of_scope",
}

_MESSAGE_KEYS = {
    "reasoning_content": "what the assistant thought before its answer",
    "tool_calls": "calls of functions, their arguments as JSON text",
    "tool_call_id": "the call that a tool's message answers",
    "name": "the function that a tool's message is the result of",
    "weight": "0: an answer that is context and not learned",
}

_POLICIES = {
    "mask": "replaced by placeholders where patterns found them",
    "mask_conversations": "replaced by placeholders where patterns found them in conversations, "
    "rows, mail, subtitles and spreadsheets; in other documents, card numbers only",
    "allow": "left in",
    "error": "none that patterns find",
}


@dataclass(frozen=True)
class Split:
    """Files of one split together."""

    schema: pyarrow.Schema
    rows: int
    size: int
    """Bytes in memory, as Arrow holds them."""

    file_size: int
    """Bytes of its files."""


def hub_card(
    manifest: Mapping[str, Any],
    splits: Mapping[str, Mapping[str, Split]],
    *,
    license_id: str | None,
) -> str:
    """The card as Markdown with YAML front matter.

    Args:
        manifest: of the library.
        splits: by config (`default`, and `probes` if there are any) and split, those with rows:
            `datasets` reads no empty split.
        license_id: as the Hub names it; None: unknown.
    """
    body = "\n".join(_body(manifest, splits, license_id=license_id))
    return f"---\n{_front_matter(manifest['name'], splits, license_id=license_id)}\n---\n\n{body}\n"


def _front_matter(
    name: str, splits: Mapping[str, Mapping[str, Split]], *, license_id: str | None
) -> str:
    from datasets import DatasetInfo, Features, SplitDict, SplitInfo
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCardData

    data = DatasetCardData(
        pretty_name=name,
        license=license_id,
        task_categories=["text-generation"],
        size_categories=[_size_category(sum(each.rows for each in splits["default"].values()))],
        tags=["ftdist"],
    )
    infos = DatasetInfosDict()
    for config, of_config in splits.items():
        infos[config] = DatasetInfo(
            features=Features.from_arrow_schema(next(iter(of_config.values())).schema),
            splits=SplitDict(
                {
                    split: SplitInfo(name=split, num_bytes=each.size, num_examples=each.rows)
                    for split, each in of_config.items()
                }
            ),
            download_size=sum(each.file_size for each in of_config.values()),
            dataset_size=sum(each.size for each in of_config.values()),
        )
    infos.to_dataset_card_data(data)
    MetadataConfigs(
        {
            config: {
                "data_files": [
                    {"split": split, "path": _SPLITS[config][split]} for split in of_config
                ]
            }
            for config, of_config in splits.items()
        }
    ).to_dataset_card_data(data)
    return str(data.to_yaml())


def _size_category(rows: int) -> str:
    """The Hub's name for a number of rows."""
    below = ""
    for limit, name in _SIZES:
        if rows < limit:
            return f"{below}<n<{name}" if below else f"n<{name}"
        below = name
    return f"n>{below}"


def _body(
    manifest: Mapping[str, Any],
    splits: Mapping[str, Mapping[str, Split]],
    *,
    license_id: str | None,
) -> Iterator[str]:
    yield f"# {manifest['name']}"
    yield ""
    yield (
        "Conversations and texts to fine-tune a language model with, curated by ftdist from "
        f"{count(len(manifest['files']), 'file')}."
    )
    yield from _loading(has_probes="probes" in splits)
    yield from _columns(splits["default"]["train"].schema)
    yield from _sources(manifest)
    yield from _processing(manifest)
    yield from _sensitive(manifest["settings"]["clean"])
    yield from ("", "## License", "")
    yield license_id or "Unknown: whoever curated this library stated none (`library.license`)."


def _loading(*, has_probes: bool) -> Iterator[str]:
    yield from ("", "## Load it", "", "```python", "from datasets import load_dataset", "")
    yield 'library = load_dataset("NAME")            # this folder, or its name on the Hub'
    yield 'library["train"]                          # "held_out": never trained on'
    if has_probes:
        yield 'probes = load_dataset("NAME", "probes")["test"]'
    yield "```"
    if has_probes:
        yield ""
        yield "Probes are questions with known answers, to measure with: never train on them."


def _columns(schema: pyarrow.Schema) -> Iterator[str]:
    yield from ("", "## Columns", "")
    yield from _table(
        ("column", "content"), [(f"`{name}`", _COLUMNS[name]) for name in schema.names]
    )
    keys = [field.name for field in schema.field("messages").type.value_type]
    extra = [(f"`{key}`", _MESSAGE_KEYS[key]) for key in keys if key in _MESSAGE_KEYS]
    if extra:
        yield from ("", "Messages have more keys; null means that the message lacks the key:", "")
        yield from _table(("key", "content"), extra)


def _sources(manifest: Mapping[str, Any]) -> Iterator[str]:
    sizes = manifest["sizes"]
    unit = next((size["unit"] for size in sizes.values()), "words")
    yield from ("", "## Sources", "")
    yield from _table(
        ("source", "role", "rows read", "invalid", "duplicates", "train", "held out", unit),
        [
            (
                source["name"],
                source["role"],
                *(number(source[key]) for key in ("rows", "bad", "duplicates")),
                *(number(source["files"][part]["samples"]) for part in ("train", "held_out")),
                number(sizes[source["name"]]["total"]),
            )
            for source in manifest["sources"]
        ],
    )


def _processing(manifest: Mapping[str, Any]) -> Iterator[str]:
    split, probes = manifest["split"], manifest["probes"]
    yield from ("", "## How it was made", "")
    yield from _table(
        ("made by", "samples"), [(name, number(n)) for name, n in manifest["made_by"].items()]
    )
    if sentence := wordings_sentence(manifest):
        yield from ("", sentence)
    if manifest["rules"]:
        yield ""
        yield from _table(
            ("cleaning rule", "times"),
            [(name, number(rule["count"])) for name, rule in manifest["rules"].items()],
        )
    yield ""
    yield (
        f"Held out: {number(split['held_out'])} documents and conversations; none shares "
        f"{split['words']} words in a row with training. Probes: {number(probes['fact'])} of "
        f"facts, {number(probes['out_of_scope'])} out of scope."
    )


def _sensitive(clean: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## Personal and sensitive data", "")
    yield f"- Keys, tokens and passwords: {_POLICIES[clean['secrets']]}."
    yield f"- E-mail addresses, phone, card and account numbers: {_POLICIES[clean['pii']]}."
    yield "- Names, postal addresses and all else: not looked for. Read it before you share it."


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(plain(cell).replace('|', chr(92) + '|') for cell in row)} |"
