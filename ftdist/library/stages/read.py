"""Read and clean all sources, and check how many of their rows are invalid."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import DataError
from ftdist.io.hashing import FileHashes, file_stamp
from ftdist.io.progress import LogFn, count, report_progress
from ftdist.io.worker_pool import map_in_order
from ftdist.library.readers.discovery import FoundFile, FoundSource
from ftdist.library.readers.records.jsonl_rows import Span, split_jsonl
from ftdist.library.readers.records.table_rows import split_table
from ftdist.library.readers.rows.settings import RowSettings
from ftdist.library.stages.read_shard import ReadSettings, SourceShard, read_shard, unreadable
from ftdist.library.stages.row_table import ReadSource
from ftdist.library.stats import CurationStats


@dataclass(frozen=True, kw_only=True)
class StageContext:
    """What all stages share."""

    config: CurateConfig
    cache_dir: Path
    num_proc: int
    log: LogFn

    def log_as(self, name: str) -> LogFn:
        """A log whose lines begin with the name of a stage."""
        return lambda line: self.log(f"curate: {name}: {line}")


def read_sources(
    roles: Sequence[tuple[FoundSource, str]], *, context: StageContext
) -> list[ReadSource]:
    """Read and clean all sources, a shard per worker process."""
    hashes = FileHashes.load(context.cache_dir / "digests.json")
    shards = [
        [
            shard
            for file in source.files
            for shard in shards_of(source, file, hashes, context=context)
        ]
        for source, _ in roles
    ]
    hashes.save()
    all_shards = list(chain(*shards))
    sizes = [0 if shard.is_read else shard.size for shard in all_shards]
    cached = sum(shard.is_read for shard in all_shards)
    context.log(
        f"curate: reading {count(len(all_shards), 'shard')} with "
        f"{count(context.num_proc, 'process')}, {cached} from the cache"
    )
    results = report_progress(
        map_in_order(read_shard, all_shards, processes=context.num_proc, on_crash=unreadable),
        sizes=sizes,
        log=context.log_as("reading"),
    )
    sources = []
    for (source, role), own in zip(roles, shards, strict=True):
        stats = CurationStats(rows=len(source.bad))
        readable: list[SourceShard] = []
        for bad in source.bad:
            stats.record_invalid_row(str(bad.location), bad.reason, bad.remedy)
        for shard, of_shard in zip(own, results, strict=False):
            stats.add(of_shard)
            if shard.is_read:
                readable.append(shard)
        context.log(f"curate: {source.name}: {count(stats.rows, 'row')}, {stats.bad} invalid")
        sources.append(ReadSource(name=source.name, role=role, shards=tuple(readable), stats=stats))
    return sources


def shards_of(
    source: FoundSource, file: FoundFile, hashes: FileHashes, *, context: StageContext
) -> list[SourceShard]:
    """A file as one shard, or a long one of JSONL, Parquet or Arrow as several."""
    config = context.config
    settings = ReadSettings(
        rows=RowSettings(
            columns=dict(sorted((source.columns or config.library.columns).items())),
            drop_columns=tuple(config.library.drop_columns),
            preferences=config.library.preferences,
            assistant=tuple(config.library.assistant_senders),
            encoding=config.library.encoding,
        ),
        secrets=config.clean.secrets,
        personal=config.clean.pii,
        keep=tuple(config.clean.allowlist),
    )
    span_bytes = config.work.shard_mib * 2**20
    stamp = file_stamp(file.path)
    is_whole = stamp[0] <= span_bytes or "thread" in settings.rows.columns
    spans: list[tuple[Span | None, int]] = [(None, 1)]
    groups: list[range | None] = [None]
    if file.kind == "jsonl" and not is_whole:
        spans = split_jsonl(file.path, span_bytes=span_bytes)
    elif file.kind in ("parquet", "arrow") and not is_whole:
        groups = split_table(file.path, kind=file.kind, group_bytes=span_bytes)
    digest = hashes.sha256(file.path)
    return [
        SourceShard(
            path=file.path,
            name=f"{source.label}: {file.name}",
            kind=file.kind,
            digest=digest,
            stamp=stamp,
            span=span,
            first_row=first_row,
            groups=of_groups,
            size=(span[1] - span[0]) if span else stamp[0] // len(groups),
            settings=settings,
            cache=context.cache_dir,
            home=file.home,
            memory_gib=config.work.reader_memory_gib,
            cpu_s=config.work.reader_cpu_s,
        )
        for span, first_row in spans
        for of_groups in groups
    ]


def check_invalid_rows(sources: Sequence[ReadSource], *, config: CurateConfig) -> None:
    """Check that invalid rows may be skipped and are not too many, and that nothing is forbidden.

    Raises:
        DataError: an invalid row, too many of them, or sensitive data with the policy `error`.
    """
    for source in sources:
        _check_sensitive(source.stats, config=config)
        stats = source.stats
        if not stats.bad_rows:
            continue
        first = stats.bad_rows[0]
        problem = f"{first['location']} {first['reason']}."
        remedy = first["remedy"] or "Correct it."
        if config.library.on_invalid_row == "error":
            others = stats.bad - 1
            verb = "is" if others == 1 else "are"
            more = f" {others} more of this source {verb} invalid too." if others else ""
            raise DataError(
                f"{problem}{more}",
                remedy=f"{remedy[0].lower()}{remedy[1:].rstrip('.')}; or set "
                "library.on_invalid_row=skip to leave such rows out.",
            )
        limit = config.library.max_invalid_fraction
        if stats.bad > limit * stats.rows:
            raise DataError(
                f"{stats.bad} of {stats.rows} rows of source {source.name!r} are invalid, more "
                f"than library.max_invalid_fraction={limit:g} allows. The first: {problem}",
                remedy="correct them, or raise library.max_invalid_fraction.",
            )


def _check_sensitive(stats: CurationStats, *, config: CurateConfig) -> None:
    for name, rule in stats.rules.items():
        if not name.startswith("private: "):
            continue
        what = name.removeprefix("private: ")
        key = "clean.secrets" if what == "secret" else "clean.pii"
        policy = config.clean.secrets if what == "secret" else config.clean.pii
        if policy == "error":
            raise DataError(
                f"{rule.examples[0]['location']} contains a {what}, and {key}=error.",
                remedy=f"remove it, or set {key}=mask.",
            )
