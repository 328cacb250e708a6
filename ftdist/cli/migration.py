"""`--from FILE`: show what another trainer's config becomes, and take its keys."""

import shlex
from collections.abc import Sequence
from typing import Any

from ftdist.cli.common import log, print_result
from ftdist.config.keys import LENGTHS
from ftdist.config.migrate.convert import convert
from ftdist.config.migrate.draft import Migration


def read_migration(named: str, *, keys: Sequence[str]) -> Migration:
    """What another trainer's config becomes.

    Args:
        named: the file, of a dataset_info.json with `:NAME`.
        keys: as typed; `cluster.nodes` and `cluster.tasks_per_node` tell the number of ranks.

    Raises:
        ConfigError: the file cannot be read, or has nothing that ftdist can train on.
    """
    typed = dict(key.partition("=")[::2] for key in keys)
    sizes = [typed.get(f"cluster.{name}", "") for name in ("nodes", "tasks_per_node")]
    ranks = None
    if any(size.isdecimal() for size in sizes):
        ranks = 1
        for size in sizes:
            ranks *= int(size) if size.isdecimal() else 1
    return convert(named, ranks=ranks)


def with_typed(migration: Migration, keys: Sequence[str]) -> list[str]:
    """The migration's overrides and the typed ones, which win."""
    typed = {key.partition("=")[0] for key in keys}
    if typed & set(LENGTHS):
        typed |= set(LENGTHS)
    lines = [f"{key}={value}" for key, value in migration.overrides.items() if key not in typed]
    return [*lines, *keys]


def migration_values(migration: Migration, *, keys: Sequence[str]) -> dict[str, Any]:
    """The migration for scripts: its overrides with the typed `keys`, and the remarks."""
    return {
        "trainer": migration.trainer,
        "file": str(migration.path),
        "overrides": with_typed(migration, keys),
        "remarks": {remark.key: remark.text for remark in migration.remarks},
    }


def print_migration(migration: Migration, *, keys: Sequence[str]) -> None:
    """Print the overrides and typed `keys` to stdout, for a shell, and the remarks to stderr."""
    print_result("\n".join(map(shlex.quote, with_typed(migration, keys))))
    if migration.remarks:
        log(f"What {migration.path} ({migration.trainer}) has besides:")
    for remark in migration.remarks:
        log(f"  {remark.key}: {remark.text}")
