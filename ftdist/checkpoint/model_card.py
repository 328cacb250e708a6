"""The model card of an export: what it was made from, how, and what came out."""

from collections.abc import Sequence

from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import resolved
from ftdist.library.sources.reference import hub_path, is_hub
from ftdist.plan.model_info import model_name
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

SCORES = "## Scores\n"
_HEAD = "| | base | tuned | difference | what is counted |"


def model_card(run: RunDir, config: RunConfig, plan: Plan, *, step: int) -> str:
    """Markdown for the exported folder's README after `step` steps, not measured yet."""
    # Local paths stay on this machine.
    origins = {s.name: s.origin for s in plan.library.sources if is_hub(s.origin)}
    names = {hub.repo for origin in origins.values() if (hub := hub_path(origin, key=""))}
    optim, base = config.optim, model_name(config.model.path)
    lines = [
        "---",
        # The Hub takes names of its own models only.
        *([f"base_model: {base}"] if "/" in base else []),
        *([f"datasets: [{', '.join(sorted(names))}]"] if names else []),
        "library_name: transformers",
        "pipeline_tag: text-generation",
        "tags: [ftdist, fine-tuned]",
        "---",
        "",
        f"# {run.name}",
        "",
        f"Full-parameter fine-tune of `{base}`, made with ftdist.",
        "",
        "## Data",
        "",
        "| source | weight | samples | tokens | loss tokens | held-out samples |",
        "| --- | --- | --- | --- | --- | --- |",
        *_sources(plan),
        "",
        *(f"- {name}: `{origin}`" for name, origin in origins.items()),
        *([""] if origins else []),
        f"Packed library `{plan.library.key[:16]}`, sequences of {plan.sequence_length} tokens. "
        "Loss on assistant turns and documents only.",
        "",
        "## Recipe",
        "",
        f"- {step} of {plan.steps} optimizer steps of {plan.global_sequences} sequences, "
        f"{plan.epochs * step / plan.steps:.2f} epochs, seed {config.run.seed}",
        f"- AdamW, peak learning rate {resolved(optim.peak_lr):g}, {optim.schedule}, warm-up "
        f"{optim.warmup_ratio:g}, weight decay {optim.weight_decay:g}, "
        f"clip {optim.max_grad_norm:g}",
        *_of_layers(config, plan),
        f"- DeepSpeed ZeRO-3 over {plan.world_size} ranks, {plan.dtype}",
        "",
        SCORES,
        f"Not measured yet: `ftdist compare {run.name}`.",
    ]
    return "\n".join(lines) + "\n"


def _sources(plan: Plan) -> list[str]:
    return [
        f"| {source.name} | {source.weight:g} | {source.samples} | {source.tokens} | "
        f"{source.loss_tokens} | {source.held_out_samples} |"
        for source in plan.library.sources
    ]


def _of_layers(config: RunConfig, plan: Plan) -> list[str]:
    """What of the recipe is not the same for all parameters."""
    optim, lines = config.optim, []
    if optim.layerwise_lr_decay < 1:
        lines.append(
            f"- Each layer learns at {optim.layerwise_lr_decay:g} times the rate of the one above"
        )
    if optim.freeze_params:
        patterns = ", ".join(f"`{pattern}`" for pattern in optim.freeze_params)
        lines.append(
            f"- As in the base, bit for bit in {plan.dtype}: {patterns} "
            f"({plan.frozen_parameters:,} of {plan.parameters:,} parameters)"
        )
    return lines


def with_note(card: str, note: str) -> str:
    """The card with a sentence at the end of its recipe."""
    head, scores = card.split(SCORES)
    return f"{head.rstrip()}\n- {note}\n\n{SCORES}{scores}"


def with_scores(card: str, rows: Sequence[Sequence[str]], more: Sequence[str] = ()) -> str:
    """The card with its last section, the scores, replaced.

    Args:
        card: as `model_card` wrote it.
        rows: of each score its name, that of the base, of the tuned model, the difference, and what
            is counted.
        more: lines of Markdown to stand below them.
    """
    table = [_HEAD, "| --- | --- | --- | --- | --- |", *(f"| {' | '.join(row)} |" for row in rows)]
    below = ["", *more] if more else []
    return card.split(SCORES)[0] + "\n".join([SCORES, *table, *below]) + "\n"
