"""The model card of an export: what it was made from, how, and what came out."""

from collections.abc import Mapping

from ftdist.config.plan import Plan
from ftdist.config.schema import RunConfig
from ftdist.rundir import RunDir

SCORES = "## Scores\n"


def model_card(run: RunDir, config: RunConfig, plan: Plan, *, step: int) -> str:
    """Markdown for the exported folder's README; its scores are not measured yet.

    Args:
        run: of the export.
        config: as trained.
        plan: as trained.
        step: optimizer steps done.
    """
    sources = [
        f"| {source.name} | {source.weight:g} | {source.samples} | {source.tokens} | "
        f"{source.loss_tokens} | {source.held_out_samples} |"
        for source in plan.library.sources
    ]
    optim = config.optim
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: text-generation",
        "tags: [ftdist, fine-tuned]",
        "---",
        "",
        f"# {run.name}",
        "",
        f"Full-parameter fine-tune of `{config.model.path.rstrip('/').rsplit('/', 1)[-1]}`, made "
        "with ftdist.",
        "",
        "## Data",
        "",
        "| source | weight | samples | tokens | loss tokens | held-out samples |",
        "| --- | --- | --- | --- | --- | --- |",
        *sources,
        "",
        f"Packed library `{plan.library.key[:16]}`, sequences of {plan.sequence_tokens} tokens. "
        "Loss on assistant turns and documents only.",
        "",
        "## Recipe",
        "",
        f"- {step} of {plan.steps} optimizer steps of {plan.global_sequences} sequences, "
        f"{plan.epochs * step / plan.steps:.2f} epochs, seed {config.run.seed}",
        f"- AdamW, peak learning rate {optim.peak_lr:g}, {optim.schedule}, warm-up "
        f"{optim.warmup_ratio:g}, weight decay {optim.weight_decay:g}, clip {optim.clip_norm:g}",
        *_of_layers(config, plan),
        f"- DeepSpeed ZeRO-3 over {plan.world_size} ranks, {plan.dtype}",
        "",
        SCORES,
        f"Not measured yet: `ftdist compare {run.name}`.",
    ]
    return "\n".join(lines) + "\n"


def _of_layers(config: RunConfig, plan: Plan) -> list[str]:
    """What of the recipe is not the same for all parameters."""
    optim, lines = config.optim, []
    if optim.layer_decay < 1:
        lines.append(
            f"- Each layer learns at {optim.layer_decay:g} times the rate of the one above"
        )
    if optim.frozen:
        patterns = ", ".join(f"`{pattern}`" for pattern in optim.frozen)
        lines.append(
            f"- As in the base, bit for bit in {plan.dtype}: {patterns} "
            f"({plan.frozen_parameters:,} of {plan.parameters:,} parameters)"
        )
    return lines


def with_scores(card: str, scores: Mapping[str, Mapping[str, float]]) -> str:
    """The card with its last section, the scores, replaced.

    Args:
        card: as `model_card` wrote it.
        scores: `{"base": {"recall": x}, "tuned": {"recall": y}}`.
    """
    rows = [
        f"| {kind} | {_shown(scores['base'], kind)} | {_shown(scores['tuned'], kind)} |"
        for kind in sorted(scores["tuned"])
    ]
    before = card.split(SCORES)[0]
    return before + "\n".join([SCORES, "| | base | tuned |", "| --- | --- | --- |", *rows]) + "\n"


def _shown(values: Mapping[str, float], kind: str) -> str:
    return f"{values[kind]:.2f}" if kind in values else "-"
