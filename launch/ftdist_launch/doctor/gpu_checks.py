"""What the GPUs of compute nodes mean for a run: whether torch can use them, and their health."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ftdist.doctor.node_report import GpuState, NodeReport
from ftdist.io.units import format_count
from ftdist_launch.doctor.finding import Area, Finding

NODES = Area("compute nodes")

MIN_DRIVER = {11: 450, 12: 525, 13: 580}
"""First driver that runs programs of a major version of CUDA (NVIDIA's table of compatibility)."""

HOT_C = 85.0
USED_GIB = 2.0


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the login node knows about the nodes that ran the probe."""

    hosts: tuple[str, ...]
    token: str
    started_s: float
    """Its clock before the job started."""

    ended_s: float
    """Its clock after the job ended."""

    gpus: int
    """Per node, as SLURM counts them."""

    cluster: bool
    """False: the report is of this machine."""

    folder: str


def cuda_findings(reports: Sequence[NodeReport], expected: Expected) -> Iterator[Finding]:
    """Whether torch can use the GPUs that SLURM or the driver shows."""
    problems: dict[tuple[str, str, str], list[str]] = {}
    for report in reports:
        problem = _cuda_problem(report, expected)
        if problem is not None:
            problems.setdefault(problem, []).append(report.host)
    for (found, consequence, remedy), hosts in problems.items():
        yield NODES.fail(
            "GPUs",
            f"{names(hosts)}: {found}",
            consequence=consequence,
            remedy=remedy.replace("HOSTS", ",".join(hosts)),
        )
    devices = min(report.cuda_devices for report in reports)
    if not problems and devices:
        kinds = sorted({gpu.name for report in reports for gpu in report.gpus})
        yield NODES.ok("GPUs", f"torch uses {devices} per node: {', '.join(kinds)}")


def names(hosts: Iterable[str]) -> str:
    """The first four names, and how many more there are."""
    shown = list(hosts)
    more = f" and {len(shown) - 4} more" if len(shown) > 4 else ""
    return ", ".join(shown[:4]) + more


def _cuda_problem(report: NodeReport, expected: Expected) -> tuple[str, str, str] | None:
    """What keeps torch from the GPUs: found, consequence, remedy (HOSTS for the nodes)."""
    count = len(report.gpus) or expected.gpus
    if not count or report.torch is None:
        return None
    cpu_only = "runs train on CPUs, or end at once with cluster.device=cuda"
    if not report.gpus and not report.cuda_devices:
        reason = report.smi_error or "nvidia-smi is missing"
        return (
            f"SLURM grants {format_count(count, 'GPU')}, but there is no driver ({reason})",
            cpu_only,
            "report the nodes; set cluster.exclude=HOSTS, or cluster.device=cpu",
        )
    if report.cuda is None:
        return (
            f"{format_count(count, 'GPU')}, but torch {report.torch} is built for CPUs",
            cpu_only,
            "install a build of torch for CUDA into the same environment",
        )
    needed = MIN_DRIVER.get(int(report.cuda.partition(".")[0]), 0)
    driver = report.gpus[0].driver if report.gpus else "0"
    major = int(driver.partition(".")[0]) if driver[:1].isdigit() else 0
    if report.gpus and major < needed:
        return (
            f"driver {driver} is too old for torch's CUDA {report.cuda}, which needs {needed}",
            "torch sees no GPU",
            "install a torch built for an older CUDA, or ask for a newer driver",
        )
    if report.cuda_devices < count:
        return (
            f"torch can use {report.cuda_devices} of {count} GPUs"
            + (f": {report.cuda_error}" if report.cuda_error else ""),
            "ranks without a GPU fail",
            "report the nodes; set cluster.exclude=HOSTS",
        )
    unknown = [name for name in report.capabilities if not _runs(name, report.built_for)]
    if unknown:
        return (
            f"torch {report.torch} has no kernels for {unknown[0]}, only for "
            f"{', '.join(report.built_for)}",
            "the first operation fails: 'no kernel image is available'",
            "install a build of torch for these GPUs",
        )
    return None


def _runs(capability: str, built_for: Sequence[str]) -> bool:
    """Whether a build has kernels of a GPU's generation, or code that the driver compiles."""
    number = int(capability.removeprefix("sm_"))
    for name in built_for:
        kind, _, digits = name.partition("_")
        built = int("".join(filter(str.isdigit, digits)) or 0)
        if kind == "sm" and built // 10 == number // 10 and built <= number:
            return True
        if kind == "compute" and built <= number:
            return True
    return False


def health_findings(reports: Sequence[NodeReport], expected: Expected) -> Iterator[Finding]:  # noqa: ARG001
    """GPUs with memory errors, heat, lowered clocks, or errors in the kernel's log."""
    if not any(report.gpus for report in reports):
        return
    fine = True
    for report in reports:
        for finding in _gpu_findings(report):
            fine = False
            yield finding
    if fine:
        hottest = max((gpu.temperature_c or 0) for report in reports for gpu in report.gpus)
        yield NODES.ok("GPU health", f"no errors; hottest {hottest:.0f} C")


def _gpu_findings(report: NodeReport) -> Iterator[Finding]:
    exclude = f"report the node; set cluster.exclude={report.host}"
    for gpu in report.gpus:
        where = f"{report.host} GPU {gpu.index}"
        yield from _damage(gpu, where=where, exclude=exclude)
        yield from _heat(gpu, where=where, exclude=exclude)
        yield from _occupation(gpu, where=where, exclude=exclude)
    if report.xids:
        yield NODES.warn(
            "GPU health",
            f"{report.host}: Xid {', '.join(map(str, report.xids))} in the kernel's log",
            consequence="a GPU failed since the node booted, and may fail again",
            remedy=exclude,
        )


def _damage(gpu: GpuState, *, where: str, exclude: str) -> Iterator[Finding]:
    if gpu.remapped_failure:
        yield NODES.fail(
            "GPU health",
            f"{where}: a damaged memory row could not be remapped",
            consequence="runs crash or compute wrong numbers there",
            remedy=exclude,
        )
    elif gpu.uncorrected_errors:
        yield NODES.fail(
            "GPU health",
            f"{where}: {gpu.uncorrected_errors} uncorrected memory errors",
            consequence="runs crash or compute wrong numbers there",
            remedy=exclude,
        )


def _heat(gpu: GpuState, *, where: str, exclude: str) -> Iterator[Finding]:
    if gpu.throttle:
        yield NODES.warn(
            "GPU health",
            f"{where}: clocks lowered ({', '.join(gpu.throttle)}), {gpu.temperature_c:.0f} C",
            consequence="all ranks wait for the slowest",
            remedy=exclude,
        )
    elif (gpu.temperature_c or 0) > HOT_C:
        yield NODES.warn(
            "GPU health",
            f"{where}: {gpu.temperature_c:.0f} C",
            consequence="it will lower its clocks under load, and all ranks wait for it",
            remedy=exclude,
        )


def _occupation(gpu: GpuState, *, where: str, exclude: str) -> Iterator[Finding]:
    if gpu.mig:
        yield NODES.warn(
            "GPU health",
            f"{where}: divided into MIG instances",
            consequence="NCCL does not connect instances: one rank per job",
            remedy="use nodes with whole GPUs (cluster.constraint, cluster.exclude)",
        )
    used = gpu.memory_used_gib or 0
    if used > USED_GIB:
        hurts = "a run may not fit: another process holds memory"
        found = f"{where}: {used:.1f} GiB are already in use"
        yield NODES.warn("GPU health", found, consequence=hurts, remedy=exclude)
