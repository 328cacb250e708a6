"""Write the curated library: data files, probes, manifest and card, in one atomic folder."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow import parquet

from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import ConfigError, StorageError
from ftdist.io.atomic_dir import atomic_dir, remove_stale_dirs
from ftdist.io.hashing import file_sha256
from ftdist.io.jsonl import read_json_lines, write_whole
from ftdist.io.progress import LogFn
from ftdist.io.sampling import evenly_spaced
from ftdist.io.worker_pool import resolve_num_proc
from ftdist.library import hub_card
from ftdist.library.dataset_card import html_card, text_card
from ftdist.library.schema import Sample
from ftdist.library.stages.build_samples import PARTS
from ftdist.library.stages.manifest import CurationResult, ManifestSource, build_manifest
from ftdist.library.stages.write_probes import write_probes
from ftdist.library.store.dataset import KL_ONLY, MANIFEST, PROBES_FILE, PROBES_TABLE
from ftdist.library.store.samples import (
    SUFFIX,
    Written,
    join_samples,
    library_schema,
    used_columns,
    write_samples,
)
from ftdist.library.token_stats import measure_sources

_SHOWN_PROBES = 8
"""Fact probes on the card."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """Where the library is, and its card as text."""

    folder: Path
    card: str


def publish(result: CurationResult, *, log: LogFn) -> Published:
    """Write the library, whole or not at all; it replaces one of the same name.

    Raises:
        ConfigError: something else than a library is in its place.
        StorageError: it cannot be written.
    """
    config = result.config
    folder = library_folder(config)
    try:
        check_replaceable(folder)
        remove_stale_dirs(folder.parent, name=folder.name)
        with atomic_dir(folder, private=config.library.private, replace=True) as tmp:
            card = _write_library(tmp, result, log=log)
    except OSError as error:
        raise StorageError(
            f"The library cannot be written to {folder}: {os_error_reason(error)}.",
            remedy="free some space, or set library.root to a folder of your own.",
        ) from error
    return Published(folder=folder, card=text_card(card, folder=folder))


def library_folder(config: CurateConfig) -> Path:
    """The folder of the library; a link to a folder on another disk is followed."""
    return (Path(config.library.root).expanduser() / config.library.name).resolve()


def os_error_reason(error: OSError) -> str:
    """The system's reason for an error."""
    return os.strerror(error.errno) if error.errno else str(error)


def check_replaceable(folder: Path) -> None:
    """Check that a folder is absent, empty or a curated library.

    Raises:
        ConfigError: it is something else.
    """
    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise ConfigError(
            f"{folder} exists already and is not a curated library.",
            remedy="set another library.name or library.root.",
        )


def _write_library(folder: Path, result: CurationResult, *, log: LogFn) -> dict[str, Any]:
    """All files of a library; the values of its card."""
    config, model = result.config, result.model
    (folder / "data").mkdir()
    sources = _write_data(folder, result)
    probes = write_probes(
        folder,
        [shard for source in result.sources for shard in source.folders],
        retention=result.retention,
        split=config.split,
    )
    log("curate: measuring the lengths of the samples")
    sizes = measure_sources(
        [
            (source.name, [folder / source.files[part]["name"] for part in PARTS])
            for source in sources
        ],
        encoder=None if model is None else model.encoder,
        sequence_length=config.model.sequence_length,
        processes=resolve_num_proc(config.work.num_proc),
        folder=folder,
    )
    manifest = build_manifest(result, sources, sizes=sizes, probes=probes)
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    readme = hub_card.hub_card(
        manifest, _splits(folder, sources), license_id=config.library.license
    )
    write_whole(folder / hub_card.CARD, readme)
    card = manifest | {
        "samples": [sample for size in sizes.values() for sample in size.shown],
        "shown_probes": _shown_probes(folder),
    }
    write_whole(folder / "index.html", html_card(card))
    return card


def _shown_probes(folder: Path) -> list[dict[str, Any]]:
    """Some fact probes, evenly spaced, for the card."""
    facts = [row for row in read_json_lines(folder / PROBES_FILE) if row["kind"] == "fact"]
    return evenly_spaced(facts, _SHOWN_PROBES)


def _splits(
    folder: Path, sources: Sequence[ManifestSource]
) -> dict[str, dict[str, hub_card.Split]]:
    """The splits of the library and of its probes, for the dataset card."""
    splits = {
        "default": {
            part: hub_card.Split(
                schema=parquet.read_schema(folder / sources[0].files[part]["name"]),
                rows=sum(source.files[part]["samples"] for source in sources),
                size=sum(source.files[part]["bytes"] for source in sources),
                file_size=sum(
                    (folder / source.files[part]["name"]).stat().st_size for source in sources
                ),
            )
            for part in PARTS
            if part == "train" or any(source.files[part]["samples"] for source in sources)
        }
    }
    probes = folder / PROBES_TABLE
    if probes.exists():
        table = parquet.read_table(probes)
        size = probes.stat().st_size
        split = hub_card.Split(table.schema, rows=len(table), size=table.nbytes, file_size=size)
        splits["probes"] = {"test": split}
    return splits


def _write_data(folder: Path, result: CurationResult) -> list[ManifestSource]:
    """Write the data files of each source; all have the same columns."""
    shards = [shard for source in result.sources for shard in source.folders]
    columns = used_columns(shard / f"{part}{SUFFIX}" for shard in shards for part in PARTS)
    sources = []
    for source in result.sources:
        files = {}
        for part in PARTS:
            name = f"data/{source.name}-{part}{SUFFIX}"
            written = join_samples(
                folder / name,
                (shard / f"{part}{SUFFIX}" for shard in source.folders),
                columns=columns,
                labels=_labels(source.name, source.role),
                more=source.unanswerable if part == "train" else (),
            )
            files[part] = _data_file(folder, name, written=written)
        rules = source.stats.rules
        duplicates = [rules[name].count for name in _DUPLICATE_RULES if name in rules]
        sources.append(
            ManifestSource(
                name=source.name,
                role=source.role,
                weight=result.config.library.weights.get(source.name, 1.0),
                files=files,
                rows=source.stats.rows,
                bad=source.stats.bad,
                duplicates=sum(duplicates),
                held_out=source.held_out_rows,
            )
        )
    taken = {source.name for source in sources}
    retention = result.retention
    for name, role, samples in (
        ("replay", "replay", retention.replay),
        ("out_of_scope", "out_of_scope", retention.out_of_scope),
        ("counterfactual", "out_of_scope", retention.counterfactual),
    ):
        if samples:
            free = f"{name}-of-base" if name in taken else name
            place = KL_ONLY if name == "counterfactual" else "data"
            sources.append(
                _write_retention(folder / place, free, role, samples=samples, columns=columns)
            )
    return sources


_DUPLICATE_RULES = ("exact duplicate", "near duplicate")


def _write_retention(
    place: Path, name: str, role: str, *, samples: Sequence[Sample], columns: Sequence[str]
) -> ManifestSource:
    place.mkdir(exist_ok=True)
    labels = _labels(name, role)
    schema, files = library_schema(columns, labels), {}
    for part, of_part in zip(PARTS, (samples, ()), strict=True):
        path = f"{place.name}/{name}-{part}{SUFFIX}"
        written = write_samples(place.parent / path, of_part, schema=schema, labels=labels)
        files[part] = _data_file(place.parent, path, written=written)
    return ManifestSource(
        name=name, role=role, files=files, rows=len(samples), kl_only=place.name == KL_ONLY
    )


def _labels(name: str, role: str) -> Mapping[str, str]:
    return {"source": name, "source_role": role}


def _data_file(folder: Path, name: str, *, written: Written) -> dict[str, Any]:
    return {
        "name": name,
        "samples": written.samples,
        "bytes": written.size,
        "sha256": file_sha256(folder / name),
    }
