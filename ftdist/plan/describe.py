"""The plan of a run as text for people."""

from ftdist.plan.dataset_info import row_shares
from ftdist.plan.plan import Plan

FEW_STEPS = 20
"""Below this number of optimizer steps a run is warned of."""

USUAL_STEPS = 100
"""Steps that the warning aims at."""


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
            f"{plan.global_sequences} sequences of {plan.sequence_length} tokens = "
            f"{plan.world_size} ranks x {plan.micro_steps} micro-steps x {plan.micro_batch_size}",
        ),
        ("parameters", f"{plan.parameters:,}{frozen}"),
        ("device and dtype", estimated("dtype", f"{plan.device}, {plan.dtype}")),
    ]
    if exposures := describe_exposures(plan):
        rows.insert(2, (f"each of {plan.library.answers:,} answers", exposures))
    for source, share in zip(plan.library.sources, row_shares(plan.library.sources), strict=True):
        size = f"{source.samples:,} samples, {source.tokens:,} tokens in {source.sequences:,} rows"
        loss = ", KL to the base model" if source.kl_to_base else ""
        rows.append((f"source {source.name}", f"{size}, {share:.1%} of the stream{loss}"))
        if source.origin:
            rows.append(("  read from", source.origin))
    rows += [
        (label, estimated(field, f"{getattr(plan, field):.2f} GiB"))
        for field, label in _MEMORY_LABELS.items()
        if field != "base_gib" or plan.base_gib
    ]
    return rows


def few_steps_warning(plan: Plan, *, epochs: float | None) -> str | None:
    """A warning if one step holds so much of the library that the run has very few.

    Args:
        plan: of the run.
        epochs: passes that the config asks for; None: it asks for another length.
    """
    if epochs is None or plan.steps >= FEW_STEPS:
        return None
    each = plan.global_sequences * plan.sequence_length
    least = plan.sequence_length * plan.micro_batch_size * plan.world_size
    wished = epochs * plan.library.rows_per_pass * plan.sequence_length / USUAL_STEPS
    tokens = max(1, round(wished / least)) * least
    what = f"batch.tokens={tokens}" if tokens < each else "a shorter batch.sequence_length"
    return (
        f"Warning: only {plan.steps} step{'s' if plan.steps > 1 else ''} of {each:,} tokens each, "
        f"for {plan.library.rows_per_pass * plan.sequence_length:,.0f} tokens of library. A model "
        f"learns little in so few: try {what}."
    )


def describe_exposures(plan: Plan) -> str:
    """Exposures per answer in words; empty for a library without answers."""
    if not plan.library.answers:
        return ""
    return f"seen {plan.exposures:.{1 if plan.exposures < 9.95 else 0}f} times on average"


_MEMORY_LABELS = {
    "parameters_gib": "parameters, per rank",
    "gradients_gib": "gradients, per rank",
    "optimizer_gib": "optimizer, per rank",
    "base_gib": "base model, per rank",
    "gathered_gib": "gathered parameters, per rank",
    "activations_gib": "activations, per rank",
    "logits_gib": "logits, per rank",
    "device_gib": "device memory, per rank",
    "host_offload_gib": "host memory of offloading, per rank",
    "host_load_gib": "host memory while loading, per rank",
    "checkpoint_gib": "one checkpoint",
    "export_gib": "exported model",
    "disk_gib": "disk",
}
