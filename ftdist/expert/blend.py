"""Models between base and tuned, each measured: what is gained against what is kept.

    runs/R/blend/points.json   every alpha's scores against the base, and which one was chosen
    runs/R/blend/model/        the chosen one, a Hugging Face model folder

Which one is chosen: `frontier.choose`; what is gained is recall (with the right page, where pages
are known) less what leaks, or is declined, where the base answers. Where none keeps enough, the
one whose general loss is least. `kept_enough` in `points.json` says which case it was.
"""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftdist.checkpoint.blend import write_blend
from ftdist.checkpoint.card import with_scores
from ftdist.checkpoint.disk import set_modes, storage_errors
from ftdist.config.compose import load_config
from ftdist.config.schema import RunConfig
from ftdist.dist.device import choose_device
from ftdist.expert.ask import ask, base_answers, base_folder, say
from ftdist.expert.compare import judge_all, settings_of
from ftdist.expert.frontier import Scores, choose, nearest
from ftdist.expert.inputs import Inputs, read_inputs
from ftdist.expert.report import write_page
from ftdist.expert.tally import Judged, tally
from ftdist.expert.wording import score_rows
from ftdist.library.aside import keep_last, made_aside
from ftdist.rundir import RunDir, write_whole


def blend(run_dir: Path) -> None:
    """Measure the blends of a run, and keep the one that is chosen.

    Args:
        run_dir: of a run that has been exported; `blend/blend.json`, if there, goes before the
            config's section `compare`.

    Raises:
        ConfigError: an alpha is none.
        DataError: a probe cannot be used.
        ModelError: base and tuned model do not fit each other, or one cannot be loaded.
        StorageError: the disk does not take a blend.
    """
    run, started = RunDir(run_dir), time.monotonic()
    config = load_config(run.config)
    settings = settings_of(run, config, stage="blend")
    inputs = read_inputs(settings, library=Path(config.library.path))
    device = choose_device(config.cluster.device)
    base_model = base_folder(config.model.path, config.model.revision)
    of_base = base_answers(config, inputs, settings, run=run, device=device)
    base = judge_all(inputs, of_base)
    run.blend.mkdir(exist_ok=True)
    aside = run.blend / "model.partial"
    points = []
    for alpha in settings.alphas:
        write_blend(base_model, run.export, aside, alpha=alpha)
        answers = ask(
            str(aside), inputs, settings, name=f"blend {alpha:g}", device=device,
            system_prompt=config.library.system_prompt,
        )  # fmt: skip
        judged = judge_all(inputs, answers)
        scores = tally(inputs, base=base, tuned=judged)
        points.append({"alpha": alpha, "known": known(inputs, judged), **scores})
        say(f"blend: {alpha:g}: {_told(scores)}")
    told = with_choice(points, most_loss_nats=settings.most_loss_nats)
    chosen = points[told["chosen"]]
    with storage_errors("blend to", aside):
        shutil.rmtree(aside)
        _keep(run, config, base_model=base_model, point=chosen)
    write_whole(run.blend / "points.json", json.dumps(told, indent=2) + "\n")
    if (run.report / "scores.json").is_file():
        write_page(run)
    reason = "" if told["kept_enough"] else "no blend keeps enough: of the least general loss, "
    say(
        f"blend: {reason}chose {chosen['alpha']:g}, in {run.blend / 'model'}, "
        f"{time.monotonic() - started:.0f} s"
    )


def with_choice(points: Sequence[Scores], *, most_loss_nats: float) -> dict[str, Any]:
    """What `points.json` holds: all points, which one is taken, and whether one keeps enough."""
    chosen = choose(points, most_loss_nats=most_loss_nats, order="alpha")
    return {
        "points": points,
        "chosen": nearest(points) if chosen is None else chosen,
        "kept_enough": chosen is not None,
        "most_loss_nats": most_loss_nats,
    }


def known(inputs: Inputs, judged: Judged) -> float:
    """Share of the recall probes that are right, with the right page where there is one."""
    right = [
        verdict.right if verdict.page is None else verdict.page
        for probe, verdict in zip(inputs.probes, judged.probes, strict=True)
        if probe.kind == "recall"
    ]
    return sum(right) / len(right) if right else 0.0


def _told(scores: Scores) -> str:
    names = ("recall", "recall_with_page", "general", "leak", "not_clean")
    told = [f"{name} {scores['tuned'][name]:.2f}" for name in names if name in scores["tuned"]]
    if "general_loss" in scores:
        told.append(f"general loss {scores['general_loss']['difference']:+.3f} nats")
    return ", ".join(told)


def _keep(run: RunDir, config: RunConfig, *, base_model: Path, point: Scores) -> None:
    """Put the chosen blend in place of the one before, whole or not at all."""
    final = run.blend / "model"
    with made_aside(final, private=config.run.private) as aside:
        write_blend(base_model, run.export, aside, alpha=point["alpha"])
        card = aside / "README.md"
        if card.is_file():
            shown = [row.cells for row in score_rows(point)]
            text = with_scores(card.read_text(encoding="utf-8"), shown)
            write_whole(card, f"{text}\n{_MIXED.format(alpha=point['alpha'])}\n")
        set_modes(aside, private=config.run.private)
        keep_last(aside, final)


_MIXED = (
    "These weights are base + {alpha:g} (tuned - base), mixed by `ftdist blend`; the scores are "
    "those of the mixture, which was chosen on the same questions."
)
