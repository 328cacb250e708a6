"""What a run began with, recorded when it is made, and compared whenever it continues.

    runs/R/identity.json   {"model": {"config.json": "sha256", ...}, "tokenizer": {...},
                            "library": {...}, "config": {"optim.peak_lr": 2e-05, ...},
                            "code": {...}, "accepted": {"tokenizer": ["digest", ...]}}
    runs/R/model/          copies of the base model's config, tokenizer and chat template

Each checkpoint has the digests of the four sections that are compared. `accepted` has the digests
of sections that the user has replaced by name, so that earlier checkpoints still belong to the run.
The code is recorded and shown, and never refused. Imports no torch.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from ftdist.checkpoint.model_files import (
    CONFIG_FILES,
    config_digests,
    is_tokenizer_file,
    tokenizer_digests,
    weight_digests,
)
from ftdist.config.resume_keys import deciding_keys, is_deciding
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, StorageError
from ftdist.io.filesystem import storage_errors
from ftdist.io.hashing import file_sha256, fingerprint
from ftdist.io.jsonl import write_whole
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

Section = Literal["model", "tokenizer", "library", "config"]
SECTIONS: tuple[Section, ...] = ("model", "tokenizer", "library", "config")

MAX_SHOWN = 12
"""Differences that an error lists."""

ABSENT = "absent"


@dataclass(frozen=True, kw_only=True)
class RunIdentity:
    """What a run computes with."""

    model: dict[str, str]
    """Digests of the base model's config files and weights."""

    tokenizer: dict[str, str]
    """Digests of the files of tokenizer and chat template."""

    library: dict[str, str]
    """Key and checksum of the packed library."""

    config: dict[str, Any]
    """Keys that decide what is computed, and numbers of the plan."""

    code: dict[str, Any] = field(default_factory=dict)
    accepted: dict[str, list[str]] = field(default_factory=dict)
    """Former digests of sections that were replaced at the user's word."""

    @classmethod
    def compute(
        cls, config: RunConfig, plan: Plan, *, weights: Mapping[str, str] | None = None
    ) -> Self:
        """From the files, config and plan as they are now.

        Args:
            config: of the run.
            plan: of the run.
            weights: `weight_digests` of the base model; None: they are computed here.
        """
        base = Path(config.model.path)
        numbers: dict[str, Any] = {
            "plan.steps": plan.steps,
            "plan.global_sequences": plan.global_sequences,
            "plan.sequence_length": plan.sequence_length,
        }
        for source in plan.library.sources:
            numbers[f"plan.library.sources.{source.name}"] = [
                *(source.weight, source.sequences, source.kl_to_base, source.loss_weight)
            ]
        return cls(
            model=config_digests(base) | dict(weight_digests(base) if weights is None else weights),
            tokenizer=tokenizer_digests(base),
            library={"key": plan.library.key, "checksum": plan.library.checksum},
            config=deciding_keys(config) | numbers,
        )

    @classmethod
    def read(cls, run: RunDir) -> Self | None:
        """As recorded; None for a run without a record.

        Raises:
            StorageError: the record cannot be read.
        """
        try:
            with storage_errors("read", run.identity):
                return cls(**json.loads(run.identity.read_bytes()))
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        except (ValueError, TypeError):
            raise StorageError(
                f"{run.identity} is damaged.",
                remedy="restore it from a backup; without it, nothing is compared.",
            ) from None

    def write(self, run: RunDir) -> None:
        """Record it."""
        with storage_errors("write", run.identity):
            write_whole(run.identity, json.dumps(asdict(self), indent=1) + "\n")

    def is_copied(self, run: RunDir) -> bool:
        """Whether the run's own copy of the small files is there, and unchanged."""
        small = {name: self.model[name] for name in CONFIG_FILES if name in self.model}
        copied = (config_digests(run.model), tokenizer_digests(run.model))
        return copied == (small, self.tokenizer)

    def weights(self) -> dict[str, str]:
        """Digests of the weights alone."""
        return {name: self.model[name] for name in self.model if name not in CONFIG_FILES}

    def digests(self) -> dict[Section, str]:
        """One digest of each section that is compared."""
        return {section: fingerprint(getattr(self, section)) for section in SECTIONS}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One field that differs from what the run began with."""

    section: Section
    field: str
    was: str
    now: str

    def __str__(self) -> str:
        """As a line of a list."""
        return f"{self.section}: {self.field}: was {self.was}, is {self.now}"


def differences(
    run: RunDir, recorded: RunIdentity, now: RunIdentity, *, base: Path
) -> list[Difference]:
    """Everything in which a run differs from what it began with.

    Args:
        run: has copies of the small files, of which single keys are named.
        recorded: what it began with.
        now: what is there.
        base: folder of the base model.
    """
    return [
        difference
        for section in SECTIONS
        for difference in _of_section(run, section, recorded, now, base=base)
    ]


def refuse_differences(
    run: RunDir, found: Sequence[Difference], *, accept: Collection[str] = ()
) -> None:
    """Refuse to continue with anything that the user has not accepted by name.

    Raises:
        ConfigError: lists the differences.
    """
    refused = [difference for difference in found if difference.section not in accept]
    if not refused:
        return
    lines = [f"  - {difference}" for difference in refused[:MAX_SHOWN]]
    if len(refused) > MAX_SHOWN:
        lines.append(f"  - and {len(refused) - MAX_SHOWN} more")
    words = ",".join(dict.fromkeys(d.section for d in found))
    raise ConfigError(
        f"Run {run.name} is not what it began with:\n" + "\n".join(lines),
        remedy="put that back, or continue with what is there now: "
        f"`ftdist resume {run.cli_name} resume.accept=[{words}]`.",
    )


def refuse_changed_run(
    run: RunDir,
    config: RunConfig,
    plan: Plan,
    *,
    accept: Collection[str] = (),
    weights: Mapping[str, str] | None = None,
) -> None:
    """Compare a run with what it began with; a run without a record has nothing to compare.

    Args:
        run: the run.
        config: of it.
        plan: of it.
        accept: sections that may differ.
        weights: as for `RunIdentity.compute`.

    Raises:
        ConfigError: lists what differs.
        StorageError: a file cannot be read.
    """
    recorded = RunIdentity.read(run)
    if recorded is not None:
        now = RunIdentity.compute(config, plan, weights=weights)
        found = differences(run, recorded, now, base=Path(config.model.path))
        refuse_differences(run, found, accept=accept)


def refuse_other_checkpoint(run: RunDir, folder: Path, metadata: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that was written with anything else than the run has or has accepted.

    Raises:
        ConfigError: it was.
    """
    recorded, written = RunIdentity.read(run), metadata.get("identity")
    if recorded is None or written is None:
        return
    now = recorded.digests()
    other = [
        section
        for section in SECTIONS
        if written[section] not in (now[section], *recorded.accepted.get(section, ()))
    ]
    if other:
        raise ConfigError(
            f"Checkpoint {folder} belongs to another run: its {' and '.join(other)} "
            f"{'differs' if len(other) == 1 else 'differ'} from that of run {run.name}.",
            remedy="put the run's own checkpoints and identity.json back, or start a new run with "
            "`ftdist train`.",
        )


def _of_section(
    run: RunDir, section: Section, recorded: RunIdentity, now: RunIdentity, *, base: Path
) -> list[Difference]:
    before, after = getattr(recorded, section), getattr(now, section)
    found: list[Difference] = []
    for name in dict.fromkeys([*before, *after]):
        was, value = before.get(name, ABSENT), after.get(name, ABSENT)
        if was == value or not _is_compared(section, name, is_new=name not in before):
            continue
        keys = _changed_keys(run.model / name, base / name, was=was)
        for key, old, new in keys or [("", was, value)]:
            shown = f"{name}: {key}" if key else name
            found.append(Difference(section=section, field=shown, was=_shown(old), now=_shown(new)))
    return found


def _is_compared(section: Section, name: str, *, is_new: bool) -> bool:
    """Whether a file or key matters: a record of an earlier version may have others too."""
    if section == "tokenizer":
        return is_tokenizer_file(name, is_new=is_new)
    return section != "config" or name.startswith("plan.") or is_deciding(name)


def _changed_keys(before: Path, after: Path, *, was: object) -> list[tuple[str, Any, Any]]:
    """Keys of two JSON files with different values; none if they would be too many to list.

    Args:
        before: the run's copy.
        after: the file that is there now.
        was: the digest that the copy must have.
    """
    try:
        if before.suffix != ".json" or file_sha256(before) != was:
            return []
        old, new = (json.loads(path.read_bytes()) for path in (before, after))
    except (OSError, ValueError):
        return []
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return []
    keys = [
        (key, old.get(key, ABSENT), new.get(key, ABSENT))
        for key in dict.fromkeys([*old, *new])
        if old.get(key, ABSENT) != new.get(key, ABSENT)
    ]
    return keys if len(keys) <= MAX_SHOWN else []


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) <= 40:
        return text
    is_digest = isinstance(value, str) and " " not in value and "\n" not in value
    return f"{value[:16]}..." if is_digest else f"another (SHA-256 {fingerprint(value)[:12]}...)"
