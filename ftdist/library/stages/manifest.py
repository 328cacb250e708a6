"""The manifest of a curated library: its sources, settings, counts and sizes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftdist.config.schema.curate import CurateConfig
from ftdist.library.base_model import BaseModel
from ftdist.library.card_sentences import notes
from ftdist.library.readers.discovery import FoundSource
from ftdist.library.retention.replay import RetentionSet
from ftdist.library.schema import Sample
from ftdist.library.stages.read_shard import CHAT_KINDS, converter_versions
from ftdist.library.stages.row_table import LIBRARY
from ftdist.library.stages.write_probes import ProbeCounts
from ftdist.library.stats import CurationStats
from ftdist.library.store.dataset import FORMAT
from ftdist.library.token_stats import SourceSizes
from ftdist.text.decontamination import Decontamination


@dataclass(frozen=True, kw_only=True)
class SourceSamples:
    """One source's samples, in a folder per shard."""

    name: str
    role: str
    stats: CurationStats
    folders: tuple[Path, ...]
    held_out_rows: int
    unanswerable: tuple[Sample, ...] = ()
    """Questions that the library does not answer."""


@dataclass(frozen=True, kw_only=True)
class CurationResult:
    """Everything that a library is written from."""

    config: CurateConfig
    sources: Sequence[SourceSamples]
    retention: RetentionSet
    found: Sequence[FoundSource]
    digests: Mapping[Path, str]
    """sha256 of each file that was read."""

    decontamination: Decontamination
    model: BaseModel | None


@dataclass(frozen=True, kw_only=True)
class ManifestSource:
    """A source in the manifest.

    Attributes:
        files: per part its name, its number of samples, its bytes in memory and its sha256.
        held_out: documents and conversations that are held out.
        kl_only: whether it is for training by KL to the base model alone.
    """

    name: str
    role: str
    weight: float = 1.0
    files: dict[str, dict[str, Any]]
    rows: int
    bad: int = 0
    duplicates: int = 0
    held_out: int = 0
    kl_only: bool = False

    @property
    def train_samples(self) -> int:
        """Samples to train on."""
        return int(self.files["train"]["samples"])


def build_manifest(
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
    used = {role: share if role in roles else 0.0 for role, share in shares.items()}
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "name": config.library.name,
        "sources": [asdict(source) for source in sources],
        "shares": used,
        "mix": source_mix(sources, sizes, shares=used),
        "settings": _settings(config),
        "versions": converter_versions(),
        "files": _files(result),
        "origins": {source.name: source.origin for source in result.found if source.origin},
        "rules": {name: asdict(rule) for name, rule in sorted(total.rules.items())},
        "bad_rows": total.bad_rows,
        "ignored": [f"{source.name}: {name}" for source in result.found for name in source.ignored],
        "facts": dict(sorted(total.facts.items())),
        "made_by": dict(sorted(total.made_by.items())),
        "wordings": total.wordings.values(),
        "chats": dict(sorted(total.chats.items())),
        "split": {
            "words": config.split.decontamination_ngram,
            "held_out": sum(source.held_out_rows for source in result.sources),
            "moved_back": int(decontamination.moved.sum()),
            "ngrams_checked": decontamination.heldout_ngrams,
            "training_ngrams": decontamination.training_ngrams,
        },
        "probes": probes.values(),
        "products": list(result.retention.products),
        "sizes": {name: size.values() for name, size in sizes.items()},
    }
    return manifest | {"missing": _missing(result, manifest)}


def _files(result: CurationResult) -> list[dict[str, str]]:
    return [
        {
            "source": source.name,
            "name": file.name,
            "kind": file.kind,
            "sha256": result.digests.get(file.path, ""),
        }
        for source in result.found
        for file in source.files
    ]


def source_mix(
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


def _missing(result: CurationResult, manifest: dict[str, Any]) -> list[str]:
    """What the library lacks, a sentence each."""
    own = {source.name for source in result.sources if source.role == LIBRARY}
    rows = sum(source.stats.rows for source in result.sources if source.name in own)
    files = [file for source in result.found if source.name in own for file in source.files]
    documents = sum(file.kind not in CHAT_KINDS for file in files)
    split = result.config.split
    return list(
        notes(
            manifest,
            conversations=rows - documents,
            fractions=(split.held_out_conversations, split.held_out_documents),
        )
    )


def _settings(config: CurateConfig) -> dict[str, Any]:
    """The settings that decide the content of the library."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    del values["work"], values["library"]["root"]
    return values
