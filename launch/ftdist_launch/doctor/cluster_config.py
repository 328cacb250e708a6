"""The `cluster` section under which the doctor's own jobs run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ftdist.config.compose import compose_curation
from ftdist.config.schema import ClusterConfig
from ftdist.errors import ConfigError
from ftdist_launch.doctor.partitions import PartitionChoice


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """What the user asks for, in place of what the doctor would choose."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    overrides: Sequence[str] = ()
    """cluster=NAME and keys such as cluster.constraint=a100."""

    @property
    def names_cluster(self) -> bool:
        """Whether a cluster file says where to run."""
        return any(word.startswith("cluster=") for word in self.overrides)


def cluster_config(options: JobOptions, choice: PartitionChoice | None) -> ClusterConfig:
    """The config of the doctor's jobs: flags first, then keys, then what was chosen.

    Raises:
        ConfigError: a key is wrong, or is not one of cluster.
    """
    other = [word for word in options.overrides if not word.startswith(("cluster=", "cluster."))]
    if other:
        raise ConfigError(
            f"`ftdist doctor` does not take {', '.join(other)}.",
            remedy="give cluster=NAME, keys of cluster, run.root=DIR, or flags: "
            "`ftdist doctor --help`.",
        )
    default = [] if options.names_cluster else ["cluster=slurm"]
    # Of all commands, curate needs the fewest other keys.
    words = ["library.name=doctor", "library.sources=[.]", *default, *options.overrides]
    config = compose_curation(words).cluster
    if choice is not None and not options.names_cluster:
        config = replace(
            config,
            partition=config.partition or choice.partition.name,
            account=config.account or choice.account,
            qos=config.qos or choice.qos,
        )
    return replace(
        config,
        partition=options.partition or config.partition,
        account=options.account or config.account,
        qos=options.qos or config.qos,
    )
