"""Write the curated library: data files, probes, manifest and card, in one atomic folder."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow

from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import ConfigError, StorageError
from ftdist.io.atomic_dir import atomic_dir, remove_stale_dirs
from ftdist.io.hashing import file_sha256
from ftdist.io.jsonl import write_whole
from ftdist.io.progress import LogFn
from ftdist.io.worker_pool import resolve_num_proc
from ftdist.library.base_model import BaseModel
from ftdist.library.dataset_card import html_card, text_card
from ftdist.library.readers.discovery import FoundSource
from ftdist.library.retention.replay import RetentionSet
from ftdist.library.schema import Sample
from ftdist.library.stages.build_samples import PARTS
from ftdist.library.stages.read_shard import converter_versions
from ftdist.library.stages.select import LIBRARY
from ftdist.library.stages.write_probes import ProbeCounts, write_probes
from ftdist.library.stats import CurationStats
from ftdist.library.store.dataset import FORMAT, MANIFEST, SCHEMA, write_samples
from ftdist.library.token_stats import SourceSizes, measure_sources
from ftdist.text.decontamination import Decontamination


@dataclass(frozen=True, kw_only=True)
class SourceSamples:
    """One source's samples, in a folder per shard."""

    name: str
    role: str
    stats: CurationStats
    folders: tuple[Path, ...]
    held_out_rows: int


@dataclass(frozen=True, kw_only=True)
class CurationResult:
    """Everything that a library is written from."""

    config: CurateConfig
    sources: Sequence[SourceSamples]
    retention: RetentionSet
    found: Sequence[FoundSource]
    decontamination: Decontamination
    model: BaseModel | None


@dataclass(frozen=True, kw_only=True)
class ManifestSource:
    """A source in the manifest.

    Attributes:
        files: per part its name, its number of samples and its sha256.
        held_out: documents and conversations that are held out.
    """

    name: str
    role: str
    weight: float = 1.0
    files: dict[str, dict[str, Any]]
    rows: int
    bad: int = 0
    duplicates: int = 0
    held_out: int = 0

    @property
    def train_samples(self) -> int:
        """Samples to train on."""
        return int(self.files["train"]["samples"])


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
        [shard / "probes.jsonl" for source in result.sources for shard in source.folders],
        retention=result.retention,
        split=config.split,
    )
    log("curate: measuring the samples")
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
    manifest = _manifest(result, sources, sizes=sizes, probes=probes)
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    card = manifest | {
        "mix": _mix(sources, sizes, shares=manifest["shares"]),
        "samples": [sample for size in sizes.values() for sample in size.shown],
    }
    write_whole(folder / "index.html", html_card(card))
    return card


def _write_data(folder: Path, result: CurationResult) -> list[ManifestSource]:
    """Write the data files of each source."""
    sources = []
    for source in result.sources:
        files = {}
        for part in PARTS:
            name = f"data/{source.name}-{part}.arrow"
            number = _concatenate(
                folder / name, (shard / f"{part}.arrow" for shard in source.folders)
            )
            files[part] = _data_file(folder, name, samples=number)
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
    for role, samples in (("replay", retention.replay), ("out_of_scope", retention.out_of_scope)):
        if samples:
            name = f"{role}-of-base" if role in taken else role
            sources.append(_write_retention(folder, name, role=role, samples=samples))
    return sources


_DUPLICATE_RULES = ("exact duplicate", "near duplicate")


def _write_retention(
    folder: Path, name: str, *, role: str, samples: Sequence[Sample]
) -> ManifestSource:
    files = {}
    for part, of_part in zip(PARTS, (samples, ()), strict=True):
        path = f"data/{name}-{part}.arrow"
        files[part] = _data_file(folder, path, samples=write_samples(folder / path, of_part))
    return ManifestSource(name=name, role=role, files=files, rows=len(samples))


def _data_file(folder: Path, name: str, *, samples: int) -> dict[str, Any]:
    return {"name": name, "samples": samples, "sha256": file_sha256(folder / name)}


def _concatenate(path: Path, parts: Iterable[Path]) -> int:
    """Join Arrow files, a record batch at a time; the number of samples."""
    number = 0
    with pyarrow.OSFile(str(path), "wb") as out, pyarrow.ipc.new_file(out, SCHEMA) as writer:
        for part in parts:
            with pyarrow.memory_map(str(part)) as file, pyarrow.ipc.open_file(file) as reader:
                for index in range(reader.num_record_batches):
                    batch = reader.get_batch(index)
                    number += batch.num_rows
                    writer.write_batch(batch)
    return number


def _manifest(
    result: CurationResult,
    sources: Sequence[ManifestSource],
    *,
    sizes: dict[str, SourceSizes],
    probes: ProbeCounts,
) -> dict[str, Any]:
    """The manifest as JSON values."""
    config, decontamination = result.config, result.decontamination
    total = CurationStats()
    for source in result.sources:
        total.add(source.stats)
    roles = {source.role for source in sources if source.train_samples}
    shares = {
        "replay": config.retention.replay_fraction,
        "out_of_scope": config.retention.out_of_scope_fraction,
    }
    return {
        "format": FORMAT,
        "name": config.library.name,
        "sources": [asdict(source) for source in sources],
        "shares": {role: share if role in roles else 0.0 for role, share in shares.items()},
        "settings": _settings(config),
        "versions": converter_versions(),
        "files": [
            {"source": source.name, "name": file.name, "kind": file.kind}
            for source in result.found
            for file in source.files
        ],
        "rules": {name: asdict(rule) for name, rule in sorted(total.rules.items())},
        "bad_rows": total.bad_rows,
        "notes": total.notes,
        "ignored": [f"{source.name}: {name}" for source in result.found for name in source.ignored],
        "made_by": dict(sorted(total.made_by.items())),
        "split": {
            "words": config.split.decontamination_ngram,
            "held_out": sum(source.held_out_rows for source in result.sources),
            "moved_back": int(decontamination.moved.sum()),
            "ngrams_checked": decontamination.heldout_ngrams,
            "training_ngrams": decontamination.training_ngrams,
        },
        "probes": probes.values(),
        "products": list(result.retention.products),
        "missing": _missing(config, roles=roles, probes=probes.fact),
        "sizes": {name: size.values() for name, size in sizes.items()},
    }


def _mix(
    sources: Sequence[ManifestSource], sizes: dict[str, SourceSizes], *, shares: dict[str, float]
) -> dict[str, dict[str, float]]:
    """Each source's share of a pass, and how often each of its tokens occurs in it."""
    size_of_role: dict[str, float] = {}
    for source in sources:
        size = sizes[source.name].train_size
        weighted = source.weight * size if source.role == LIBRARY else size
        size_of_role[source.role] = size_of_role.get(source.role, 0.0) + weighted
    own_share = 1 - sum(shares.values())
    own_size = size_of_role.get(LIBRARY, 0.0)
    total = own_size / own_share if own_share else 0.0
    mix = {}
    for source in sources:
        size = sizes[source.name].train_size
        if source.role == LIBRARY:
            times = source.weight
            share = source.weight * size / total if total else 0.0
        else:
            of_role = size_of_role[source.role]
            share = shares[source.role] * size / of_role if of_role else 0.0
            times = share * total / size if size else 0.0
        mix[source.name] = {"share": round(share, 4), "times_seen": round(times, 3)}
    return mix


def _missing(config: CurateConfig, *, roles: set[str], probes: int) -> list[str]:
    """What the library lacks, a sentence each."""
    missing = []
    if "replay" not in roles:
        missing.append(
            "Nothing protects what the base model knows: set retention=recommended with "
            "model.path, or retention.replay_sources to general chat and text."
        )
    if "out_of_scope" not in roles:
        missing.append(
            "No sample shows the model which questions are out of scope: set "
            "retention=recommended with model.path."
        )
    if not probes:
        missing.append("There are no probes: set eval.probes to your own to measure facts.")
    if config.model.path is None:
        missing.append("Sizes are in words: set model.path to count tokens.")
    return missing


def _settings(config: CurateConfig) -> dict[str, Any]:
    """The settings that decide the content of the library."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    del values["work"], values["library"]["root"]
    return values
