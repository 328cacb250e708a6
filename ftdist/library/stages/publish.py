"""A curated library written beside its place, then given its name: data, probes, manifest, card."""

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
from ftdist.io.worker_pool import processes_for
from ftdist.library.dataset_card import html_card, text_card
from ftdist.library.readers.discovery import FoundSource
from ftdist.library.retention.replay import Kept
from ftdist.library.stages.read_shard import converter_versions
from ftdist.library.stages.write_probes import Probes, write_probes
from ftdist.library.stats import Account
from ftdist.library.store.dataset import FORMAT, MANIFEST, SCHEMA, write_samples
from ftdist.library.token_stats import SourceSizes, measure
from ftdist.text.decontamination import Decontamination

PARTS = ("train", "held_out")


@dataclass(frozen=True, kw_only=True)
class Taught:
    """One source's samples, in the folders of its pieces."""

    name: str
    role: str
    account: Account
    folders: tuple[Path, ...]
    units: tuple[tuple[int, int], ...]
    """Documents and conversations of each piece: read, and kept."""

    held_out_units: int


@dataclass(frozen=True, kw_only=True)
class Published:
    """Where the library is, and its card as text."""

    folder: Path
    card: str


def publish(
    config: CurateConfig,
    *,
    taught: Sequence[Taught],
    kept: Kept,
    found: Sequence[FoundSource],
    decontamination: Decontamination,
    model: Any,
    log: LogFn,
) -> Published:
    """Write the library, whole or not at all; one of the same name is replaced.

    Raises:
        ConfigError: there is something else in its place.
        StorageError: it cannot be written.
    """
    folder = place_of(config)
    try:
        refuse_others(folder)
        remove_stale_dirs(folder.parent, name=folder.name)
        with atomic_dir(folder, private=config.library.private, replace=True) as tmp:
            card = _write_library(
                tmp,
                config,
                taught=taught,
                kept=kept,
                found=found,
                decontamination=decontamination,
                model=model,
                log=log,
            )
    except OSError as error:
        raise StorageError(
            f"The library cannot be written to {folder}: {reason_of(error)}.",
            remedy="free some space, or set library.root to a folder of your own.",
        ) from error
    return Published(folder=folder, card=text_card(card, folder=folder))


def place_of(config: CurateConfig) -> Path:
    """Where a library is to be; a link to a folder on another disk is followed."""
    return (Path(config.library.root).expanduser() / config.library.name).resolve()


def reason_of(error: OSError) -> str:
    """Why the system refused something."""
    return os.strerror(error.errno) if error.errno else str(error)


def refuse_others(folder: Path) -> None:
    """Refuse a place in which there is something else than a curated library.

    Raises:
        ConfigError: there is.
    """
    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise ConfigError(
            f"{folder} is there already, and is no curated library.",
            remedy="set another library.name or library.root.",
        )


def _write_library(
    aside: Path,
    config: CurateConfig,
    *,
    taught: Sequence[Taught],
    kept: Kept,
    found: Sequence[FoundSource],
    decontamination: Decontamination,
    model: Any,
    log: LogFn,
) -> dict[str, Any]:
    """All files of a library; what its card says."""
    (aside / "data").mkdir()
    sources = _write_data(aside, taught=taught, kept=kept, config=config)
    probes = write_probes(
        aside,
        [folder / "probes.jsonl" for source in taught for folder in source.folders],
        kept=kept,
        split=config.split,
    )
    log("curate: measuring")
    sizes = measure(
        [
            (source["name"], [aside / source["files"][part]["name"] for part in PARTS])
            for source in sources
        ],
        encoder=None if model is None else model.encoder,
        sequence_length=config.model.sequence_length,
        processes=processes_for(config.work.num_proc),
        folder=aside,
    )
    card = _card(
        config,
        sources=sources,
        taught=taught,
        kept=kept,
        found=found,
        sizes=sizes,
        decontamination=decontamination,
        probes=probes,
        model=model,
    )
    manifest = {key: card[key] for key in _IN_MANIFEST} | {"format": FORMAT}
    write_whole(aside / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    write_whole(aside / "index.html", html_card(card))
    return card


_IN_MANIFEST = (
    "name", "sources", "shares", "settings", "versions", "files", "rules", "bad_rows", "notes",
    "ignored", "made_by", "split", "probes", "products", "missing", "sizes",
)  # fmt: skip


def _write_data(
    aside: Path, *, taught: Sequence[Taught], kept: Kept, config: CurateConfig
) -> list[dict[str, Any]]:
    """Data files of each source, and what the manifest says of it."""
    sources = []
    for source in taught:
        files = {}
        for part in PARTS:
            name = f"data/{source.name}-{part}.arrow"
            parts = (folder / f"{part}.arrow" for folder in source.folders)
            files[part] = _joined(aside / name, parts) | {"name": name}
        sources.append(
            {
                "name": source.name,
                "role": source.role,
                "weight": config.library.weights.get(source.name, 1.0),
                "files": files,
            }
        )
    taken = {source["name"] for source in sources}
    for role, samples in (("replay", kept.replay), ("out_of_scope", kept.out_of_scope)):
        if not samples:
            continue
        name = f"{role}-of-base" if role in taken else role
        files = {}
        for part, chosen in (("train", samples), ("held_out", ())):
            path = f"data/{name}-{part}.arrow"
            number = write_samples(aside / path, chosen)
            files[part] = {"name": path, "samples": number, "sha256": file_sha256(aside / path)}
        sources.append({"name": name, "role": role, "weight": 1.0, "files": files})
    return sources


def _joined(path: Path, parts: Iterable[Path]) -> dict[str, Any]:
    """Several Arrow files as one, a batch at a time."""
    number = 0
    with pyarrow.OSFile(str(path), "wb") as out, pyarrow.ipc.new_file(out, SCHEMA) as writer:
        for part in parts:
            with pyarrow.memory_map(str(part)) as file, pyarrow.ipc.open_file(file) as reader:
                for at in range(reader.num_record_batches):
                    batch = reader.get_batch(at)
                    number += batch.num_rows
                    writer.write_batch(batch)
    return {"samples": number, "sha256": file_sha256(path)}


def _card(  # noqa: PLR0913 - all that a curation found, put together in one place
    config: CurateConfig,
    *,
    sources: list[dict[str, Any]],
    taught: Sequence[Taught],
    kept: Kept,
    found: Sequence[FoundSource],
    sizes: dict[str, SourceSizes],
    decontamination: Decontamination,
    probes: Probes,
    model: Any,
) -> dict[str, Any]:
    """All that manifest and card say, as plain values."""
    whole = Account()
    for source in taught:
        whole.add(source.account)
    by_name = {source.name: source for source in taught}
    shares = {
        "replay": config.retention.replay_fraction,
        "out_of_scope": config.retention.out_of_scope_fraction,
    }
    roles = {source["role"] for source in sources if source["files"]["train"]["samples"]}
    shares = {role: share if role in roles else 0.0 for role, share in shares.items()}
    return {
        "name": config.library.name,
        "sources": [source | _counts(source, by_name.get(source["name"])) for source in sources],
        "shares": shares,
        "mix": _mix(sources, sizes, shares=shares),
        "settings": _settings(config),
        "versions": converter_versions(),
        "model": None if model is None else {"path": model.path, "key": model.key},
        "files": [
            {"source": source.name, "name": file.name, "kind": file.kind}
            for source in found
            for file in source.files
        ],
        "rules": {name: asdict(rule) for name, rule in sorted(whole.rules.items())},
        "bad_rows": whole.bad_rows,
        "notes": whole.notes,
        "ignored": [f"{source.name}: {name}" for source in found for name in source.ignored],
        "made_by": dict(sorted(whole.made_by.items())),
        "split": {
            "words": config.split.decontamination_ngram,
            "held_out_units": sum(s.held_out_units for s in taught),
            "moved_back": int(decontamination.moved.sum()),
            "ngrams_checked": decontamination.heldout_ngrams,
            "training_ngrams": decontamination.training_ngrams,
        },
        "probes": probes.values(),
        "products": list(kept.products),
        "missing": _missing(config, roles=roles, probes=probes.fact),
        "sizes": {name: size.values() for name, size in sizes.items()},
        "samples": [shown for size in sizes.values() for shown in size.shown],
    }


def _counts(source: dict[str, Any], taught: Taught | None) -> dict[str, int]:
    if taught is None:
        return {"rows": source["files"]["train"]["samples"], "bad": 0, "duplicates": 0}
    rules = taught.account.rules
    duplicates = sum(
        rules[name].count for name in ("exact duplicate", "near duplicate") if name in rules
    )
    return {
        "rows": taught.account.rows,
        "bad": taught.account.bad,
        "duplicates": duplicates,
        "held_out": taught.held_out_units,
    }


def _mix(
    sources: Sequence[dict[str, Any]], sizes: dict[str, SourceSizes], *, shares: dict[str, float]
) -> dict[str, dict[str, float]]:
    """Of each source its share of a pass, and how often each of its tokens is seen in it."""
    sized = {source["name"]: sizes[source["name"]].train_size for source in sources}
    library = {s["name"]: s["weight"] * sized[s["name"]] for s in sources if s["role"] == "library"}
    own = 1 - sum(shares.values())
    total = sum(library.values()) / own if own else 0.0
    mix = {}
    for source in sources:
        name, role = source["name"], source["role"]
        size = sized[name]
        if role == "library":
            share = library[name] / total if total else 0.0
            times = source["weight"]
        else:
            of_role = sum(sized[s["name"]] for s in sources if s["role"] == role)
            share = shares[role] * size / of_role if of_role else 0.0
            times = share * total / size if size else 0.0
        mix[name] = {"share": round(share, 4), "times_seen": round(times, 3)}
    return mix


def _missing(config: CurateConfig, *, roles: set[str], probes: int) -> list[str]:
    missing = []
    if "replay" not in roles:
        missing.append(
            "Nothing protects what the base model knows: set retention=recommended with "
            "model.path, or retention.replay_sources to general chat and text."
        )
    if "out_of_scope" not in roles:
        missing.append(
            "Nothing shows the model where its lane ends: set retention=recommended with "
            "model.path."
        )
    if not probes:
        missing.append(
            "There are no probes: accuracy on its facts can be measured with eval.probes only."
        )
    if config.model.path is None:
        missing.append("Sizes are told in words: set model.path to count tokens.")
    return missing


def _settings(config: CurateConfig) -> dict[str, Any]:
    """The settings that decide what comes out."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    del values["work"], values["library"]["root"]
    return values
