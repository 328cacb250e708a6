"""`ftdist expert` on a cluster: a chain of jobs from documents to the report."""

import json
from pathlib import Path

from ftdist_launch.expert.stages import read_stages

from tests.support.slurm.login import Login
from tests.support.slurm.queued_runs import events

MANUAL = "".join(
    f"# A-45 Manual: part {page}\n\n## What does part {page} hold?\n\n"
    f"Part {page} holds {page * 13} litres of water.\n\n"
    for page in range(1, 6)
)


def keys(login: Login, ingredients: Path) -> list[str]:
    """The command line of an expert of a few steps, that knows nothing but the manual."""
    (login.folder / "manual.md").write_text(MANUAL)
    return [
        *("sources=[manual.md]", f"model={ingredients / 'model'}", "run.name=w", "tracking=off"),
        *("retention=none", "split.num_probes=2", "split.num_out_of_scope_probes=2"),
        *("train.steps=3", "batch.sequence_length=256", "batch.tokens=512", "model.dtype=float32"),
        *("eval.max_new_tokens=4", "eval.general_questions=none", "eval.perplexity_texts=none"),
        "eval.num_instructions=0",
        *("cluster=slurm", "cluster.cpus_per_task=1", "cluster.device=cpu"),
    ]


def states(login: Login) -> dict[str, str]:
    return {stage.name: stage.state for stage in read_stages(login.run("w"))}


def test_a_chain_of_jobs_stops_at_a_failed_stage_and_continues_from_it(
    login: Login, ingredients: Path
) -> None:
    given = keys(login, ingredients)
    dry = login("expert", *given, "--dry-run")
    assert "after prepare" in dry.stdout
    assert "Not known before the library is curated" in dry.stderr
    assert not login.run("w").root.exists()
    login("expert", *given, "library.kl_to_base=[none_such]")  # known once the library is there
    run = login.run("w")
    login.wait_for_state(login.job("w", "prepare"), "FAILED", timeout_s=120)
    login.wait_for_state(login.job("w", "compare"), "CANCELLED")
    shown = login("status", "w").stdout
    assert "ftdist expert w" in shown
    assert states(login) == {
        "curate": "done",
        "prepare": "failed",
        "train": "not started",
        "export": "not started",
        "compare": "not started",
    }
    assert read_stages(run)[1].problem is not None
    assert "To fix: " in shown

    login("expert", *given)
    again = login("expert", *given)  # all is in the queue: nothing is submitted twice
    assert "is in the queue" in again.stdout
    submitted = [event["stage"] for event in events(run, "job_submitted")]
    rest = ["prepare", "train", "export", "compare"]
    assert submitted == ["curate", *rest, *rest]
    login.wait_for_state(login.job("w", "compare"), "COMPLETED", timeout_s=240)
    assert set(states(login).values()) == {"done"}
    jobs = {event["stage"]: event for event in events(run, "job_submitted")}
    assert jobs["compare"]["after"] == [jobs["export"]["job"]]
    assert json.loads((run.report / "scores.json").read_text()).keys() >= {"base", "tuned"}
    assert "curate" in login("logs", "w", "--stage", "curate").stdout
    done = login("expert", "w")
    assert "is complete" in done.stdout
