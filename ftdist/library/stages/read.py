"""The first stage of a curation: all sources read and cleaned, and what cannot be used judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import DataError
from ftdist.io.hashing import FileHashes, file_stamp
from ftdist.io.progress import LogFn, told
from ftdist.io.worker_pool import in_order
from ftdist.library.readers.discovery import FoundSource
from ftdist.library.readers.records import split_jsonl
from ftdist.library.stages.read_shard import Piece, ReadSettings, read_piece, unreadable
from ftdist.library.stages.select import ReadSource
from ftdist.library.stats import Account


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every stage is given."""

    config: CurateConfig
    cache_dir: Path
    num_proc: int
    log: LogFn

    def about(self, what: str) -> LogFn:
        """What is told of one thing, under its name."""
        return lambda words: self.log(f"curate: {what}: {words}")


def read_sources(roles: Sequence[tuple[FoundSource, str]], *, work: Work) -> list[ReadSource]:
    """Read and clean all sources, each piece in a process of its own."""
    digests = FileHashes.load(work.cache_dir / "digests.json")
    settings = ReadSettings(
        columns=tuple(sorted(work.config.library.columns.items())),
        assistant=tuple(work.config.library.assistant_senders),
        secrets=work.config.clean.secrets,
        personal=work.config.clean.pii,
        keep=tuple(work.config.clean.allowlist),
    )
    pieces = [
        [piece for file in source.files for piece in _pieces(source, file, digests, settings, work)]
        for source, _ in roles
    ]
    digests.save()
    everything = list(chain(*pieces))
    known = [piece.is_read for piece in everything]
    work.log(
        f"curate: reading {len(everything)} pieces of {sum(len(s.files) for s, _ in roles)} files "
        f"in {work.num_proc} processes; {sum(known)} are known already"
    )
    results = told(
        in_order(read_piece, everything, processes=work.num_proc, if_it_dies=unreadable),
        sizes=[
            0 if is_read else piece.size for piece, is_read in zip(everything, known, strict=True)
        ],
        log=work.about("reading"),
    )
    sources = []
    for (source, role), own in zip(roles, pieces, strict=True):
        account = Account()
        whole: list[Piece] = []
        for bad in source.bad:
            account.rows += 1
            account.bad_row(str(bad.place), bad.reason, bad.remedy)
        for piece, one in zip(own, results, strict=False):
            account.add(one)
            if piece.is_read:
                whole.append(piece)
        work.log(f"curate: {source.name}: {account.rows} rows read, {account.bad} bad")
        sources.append(
            ReadSource(name=source.name, role=role, pieces=tuple(whole), account=account)
        )
    return sources


def _pieces(
    source: FoundSource, file: Any, digests: FileHashes, settings: ReadSettings, work: Work
) -> list[Piece]:
    """A file as pieces: one, or spans of a long JSONL file."""
    span_bytes = work.config.work.shard_mib * 2**20
    stamp = file_stamp(file.path)
    is_long = file.kind == "jsonl" and file.path.stat().st_size > span_bytes
    is_spanned = is_long and "thread" not in dict(settings.columns)
    spans = split_jsonl(file.path, span_bytes=span_bytes) if is_spanned else [(None, 1)]
    digest = digests.sha256(file.path)
    return [
        Piece(
            path=file.path,
            name=f"{source.name}: {file.name}",
            kind=file.kind,
            digest=digest,
            stamp=stamp,
            span=span,
            first_row=first_row,
            settings=settings,
            cache=work.cache_dir,
        )
        for span, first_row in spans
    ]


def judge_bad_rows(sources: Sequence[ReadSource], *, config: CurateConfig) -> None:
    """Stop at what cannot be used, unless it is to be skipped and is no more than the limit.

    Raises:
        DataError: a row is bad, or holds what is refused.
    """
    for source in sources:
        account, first = source.account, next(iter(source.account.bad_rows), None)
        for kind, policy in (("secret", config.clean.secrets), ("", config.clean.pii)):
            found = [
                (name, rule)
                for name, rule in account.rules.items()
                if name.startswith("private: ")
                and (name == "private: secret") == (kind == "secret")
            ]
            if policy == "error" and found:
                name, rule = found[0]
                key = "clean.secrets" if kind else "clean.pii"
                raise DataError(
                    f"{rule.victims[0]['place']} holds a {name.removeprefix('private: ')}, and "
                    f"{key}=error.",
                    remedy=f"take it out, or set {key}=mask.",
                )
        if first is None:
            continue
        told = f"{first['place']} {first['reason']}."
        remedy = first["remedy"] or "Correct it."
        if config.library.on_invalid_row == "error":
            more = f" So are {account.bad - 1} more of this source." if account.bad > 1 else ""
            raise DataError(
                f"{told}{more}",
                remedy=f"{remedy[0].lower()}{remedy[1:].rstrip('.')}; or set "
                "library.on_invalid_row=skip to leave such rows out.",
            )
        if account.bad > config.library.max_invalid_fraction * account.rows:
            raise DataError(
                f"Of {account.rows} rows of source {source.name!r} {account.bad} are bad, more "
                f"than library.max_invalid_fraction={config.library.max_invalid_fraction:g} "
                f"allows. The first: {told}",
                remedy="correct them, or raise library.max_invalid_fraction.",
            )
