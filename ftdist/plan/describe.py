"""The plan of a run as text for people."""

from ftdist.io.units import format_count, format_duration, format_gib
from ftdist.plan.dataset_info import row_shares
from ftdist.plan.duration import Duration
from ftdist.plan.plan import UNKNOWN_LAYERS, Choice, Plan


def describe(plan: Plan) -> list[tuple[str, str]]:
    """The rows of the plan's table, label and value; estimates begin with "about"."""

    def estimated(field: str, text: str) -> str:
        return f"about {text}" if field in plan.estimates else text

    frozen = f", {plan.frozen_parameters:,} of them frozen" if plan.frozen_parameters else ""
    rows = [
        ("steps", f"{plan.steps:,}"),
        ("passes over the library", f"{plan.epochs:.2f}"),
        ("tokens", f"{plan.tokens:,}"),
        (
            "one step",
            f"{format_count(plan.global_sequences, 'sequence')} of {plan.sequence_length:,} tokens "
            f"= {_describe_ranks(plan)} x "
            f"{format_count(plan.micro_steps, 'micro-step')} x {plan.micro_batch_size}",
        ),
        ("parameters", f"{plan.parameters:,}{frozen}"),
        ("device and dtype", estimated("dtype", f"{plan.device}, {plan.dtype}")),
    ]
    if exposures := describe_exposures(plan):
        answers = plan.library.answers
        rows.insert(2, (f"each of {answers:,} answers" if answers > 1 else "1 answer", exposures))
    for source, share in zip(plan.library.sources, row_shares(plan.library.sources), strict=True):
        size = (
            f"{format_count(source.samples, 'sample')}, {format_count(source.tokens, 'token')} in "
            f"{format_count(source.sequences, 'row')}"
        )
        loss = ", KL to the base model" if source.kl_to_base else ""
        if source.distilled_tokens:
            loss += (
                f"; {source.distilled_tokens / source.loss_tokens:.0%} of its loss tokens have a "
                f"teacher (weight {plan.library.context_distillation:g}), which reads "
                f"{format_count(source.teacher_tokens, 'token')} a pass"
            )
        loss += f", each token weighing {source.loss_weight:g}" if source.loss_weight != 1 else ""
        seen = "" if source.own else f", seen {plan.times_seen(source):.1f} times"
        rows.append((f"source {source.name}", f"{size}, {share:.1%} of the stream{seen}{loss}"))
        if source.origin:
            rows.append(("  read from", source.origin))
    rows += [*describe_choices(plan), *describe_traffic(plan)]
    rows += [
        (label, estimated(field, format_gib(getattr(plan, field))))
        for field, label in _MEMORY_LABELS.items()
        if getattr(plan, field)
    ]
    if UNKNOWN_LAYERS in plan.estimates:
        rows.append(("memory of layers", "an estimate: this family's are taken for Llama's"))
    return rows


def _describe_ranks(plan: Plan) -> str:
    if plan.sequence_parallel_size == 1:
        return format_count(plan.world_size, "rank")
    groups = format_count(plan.data_parallel_size, "group")
    return f"{groups} of {plan.sequence_parallel_size} ranks"


MAX_KEYS = 3
"""With the same reason, that are shown by name."""


def describe_choices(plan: Plan) -> list[tuple[str, str]]:
    """What the plan chose, and why; keys with the same reason share a row."""
    by_reason: dict[str, list[str]] = {}
    for choice in plan.choices:
        by_reason.setdefault(choice.reason, []).append(f"{choice.key}={choice_text(choice)}")
    rows = [("chosen for", plan.hardware)] if plan.choices else []
    for reason, keys in by_reason.items():
        shown = " ".join(keys) if len(keys) <= MAX_KEYS else f"{len(keys)} keys of engine"
        rows.append(("  by the plan", f"{shown}: {reason}"))
    return rows


def choice_text(choice: Choice) -> str:
    """The value of a choice as a user types it."""
    return str(choice.value).lower() if isinstance(choice.value, bool) else str(choice.value)


def describe_traffic(plan: Plan) -> list[tuple[str, str]]:
    """What ranks send each other in a step."""
    if plan.world_size == 1:
        return []
    per_rank = (
        f"{format_count(plan.gathers, 'gather')} of all parameters, "
        f"{format_gib(plan.all_gather_gib)}; gradients {format_gib(plan.reduce_scatter_gib)}"
    )
    rows = [("received per rank and step", per_rank)]
    if plan.between_nodes_gib:
        links = (
            f"inside a node {format_gib(plan.inside_node_gib)} per rank, from other nodes "
            f"{format_gib(plan.between_nodes_gib)} per node"
        )
        rows.append(("  by link", links))
    return rows


def describe_duration(duration: Duration, *, plan: Plan) -> list[tuple[str, str]]:
    """The rows of the plan's table on time, label and value."""
    rows = [
        (
            "time for the steps",
            f"about {format_duration(duration.seconds)} at {_two_digits(duration.tokens_per_s)} "
            f"tokens/s ({duration.basis})",
        )
    ]
    if plan.device == "cuda":
        hours = duration.seconds * plan.world_size / 3600
        rows.append(("GPU-hours", f"about {hours:.2g}" if hours < 100 else f"about {hours:,.0f}"))
    return rows


def _two_digits(number: float) -> str:
    """A number to two significant digits, such as 96 or 12,000."""
    return f"{float(f'{number:.1e}'):,.0f}" if number >= 1 else f"{number:.1g}"


def describe_exposures(plan: Plan) -> str:
    """Exposures per answer in words; empty for a library without answers."""
    if not plan.library.answers:
        return ""
    return f"seen {plan.exposures:.{1 if plan.exposures < 9.95 else 0}f} times on average"


_MEMORY_LABELS = {
    "parameters_gib": "parameters, per rank",
    "hpz_gib": "parameters shared by a node, per rank",
    "gradients_gib": "gradients, per rank",
    "bucket_gib": "bucket of gradients, per rank",
    "optimizer_gib": "optimizer, per rank",
    "base_gib": "base model, per rank",
    "reference_cache_gib": "base model's states in host memory, per rank",
    "gathered_gib": "gathered parameters, per rank",
    "activations_gib": "activations, per rank",
    "logits_gib": "logits, per rank",
    "head_gradient_gib": "gradient of the head, per rank",
    "backward_gib": "backward pass of a layer, per rank",
    "reduce_gib": "gradients being reduced, per rank",
    "step_gib": "optimizer step, per rank",
    "device_gib": "peak of device memory, per rank",
    "outside_gib": "CUDA and NCCL beside it, per rank",
    "host_offload_gib": "host memory of offloading, per rank",
    "host_load_gib": "host memory while loading, per rank",
    "host_save_gib": "host memory for checkpoints, per rank",
    "checkpoint_gib": "one checkpoint",
    "export_gib": "exported model",
    "disk_gib": "disk",
}
