"""The commands that a user types, on real processes, from a bare machine to a scored expert."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEP_KEYS = {
    "step",
    "train/loss",
    "optim/grad_norm",
    "optim/learning_rate",
    "throughput/tokens_per_s",
    "memory/peak_gib",
}


SECRETS = {
    name: f"canary-{name.lower()}-0123456789"
    for name in ("HF_TOKEN", "OPENAI_API_KEY", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "PLAIN_NAME")
}
"""Of the user's environment, which every command inherits."""


def ftdist(
    folder: Path, *arguments: str, timeout_s: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run a command of ftdist in `folder`, with no compiler and no home to find one in."""
    nothing = folder / "empty-bin"
    nothing.mkdir(exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if key not in ("CC", "CXX", "PATH")}
    return subprocess.run(
        [sys.executable, "-m", "ftdist", *arguments],
        cwd=folder,
        env={**kept, **SECRETS, "PATH": str(nothing), "HOME": str(folder), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny experiment was trained for 12 steps on 2 ranks.

    A third of what it reads is replay, on which it follows the base model.
    """
    folder = tmp_path_factory.mktemp("user")
    replay = [
        {"question": f"What is {n} plus {n}?", "answer": f"It is {n + n}."} for n in range(40)
    ]
    (folder / "replay.jsonl").write_text("".join(json.dumps(row) + "\n" for row in replay))
    done = ftdist(
        folder,
        *("train", "experiment=tiny", "run.name=r", "train.steps=12", "checkpoint.keep_latest=2"),
        *("checkpoint.every_steps=4", "eval.loss_every_steps=6"),
        *(
            "library.extra_sources.replay.path=replay.jsonl",
            "library.extra_sources.replay.weight=0.5",
        ),
        "library.kl_to_base=[replay]",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_tiny_experiment_needs_nothing_but_its_name_and_no_compiler(trained: Path) -> None:
    rows = [
        json.loads(line) for line in (trained / "runs/r/metrics.jsonl").read_text().splitlines()
    ]
    assert [row["step"] for row in rows] == list(range(1, 13))
    assert all(row.keys() >= STEP_KEYS for row in rows)
    assert rows[-1]["train/loss/library"] < rows[0]["train/loss/library"]
    # In the first step the model is its own base, and the rate is 0 after it.
    assert abs(rows[0]["train/loss/replay"]) < 1e-5
    assert rows[-1]["train/loss/replay"] > 1e-3
    assert [row["step"] for row in rows if "eval/held_out_loss" in row] == [6, 12]
    kept = sorted(path.name for path in (trained / "runs/r/checkpoints").iterdir())
    assert kept == ["step-00000008", "step-00000012"]


def test_the_rank_that_ends_each_step_last_is_recorded(trained: Path) -> None:
    rows = [
        json.loads(line) for line in (trained / "runs/r/metrics.jsonl").read_text().splitlines()
    ]
    assert "time/rank_lag_s" not in rows[0]
    assert all(0 <= row["time/rank_lag_s"] < 60 for row in rows[1:])
    assert {row["throughput/last_rank"] for row in rows[1:]} <= {0.0, 1.0}


def test_a_frame_of_watch_shows_the_trained_run_in_80_columns(trained: Path) -> None:
    done = ftdist(trained, "watch", "r", "--once")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("r  done")
    assert "step 12/12" in lines[1]
    assert any(line.startswith("sources    library ") and "replay" in line for line in lines)
    assert lines[-1] == "Next: ftdist export r, then ftdist compare r"


@pytest.mark.fault("S9")
def test_run_directory_is_private(trained: Path) -> None:
    run = trained / "runs/r"
    assert run.stat().st_mode & 0o077 == 0
    loose = [str(path) for path in run.rglob("*") if path.stat().st_mode & 0o077]
    assert loose == []


@pytest.mark.fault("S8")
def test_no_file_of_a_run_holds_a_value_of_the_users_environment(trained: Path) -> None:
    files = [path for path in trained.rglob("*") if path.is_file()]
    assert {"config.yaml", "overrides.txt", "events.jsonl"} <= {path.name for path in files}
    assert any(path.name.endswith("_submitted.pkl") for path in files)
    for path in files:
        assert b"canary-" not in path.read_bytes(), path


def test_exported_and_compared_run_has_scores_and_answers(trained: Path) -> None:
    exported = ftdist(trained, "export", "r")
    assert exported.returncode == 0, exported.stdout + exported.stderr
    folder = trained / "runs/r/export"
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "README.md",
    }
    short = (
        *("eval.max_new_tokens=8", "eval.general_questions=none", "eval.perplexity_texts=none"),
        "eval.num_instructions=2",
    )
    compared = ftdist(
        trained, "compare", "r", *short, "tracking.log_generations=false", "eval.num_replicas=2"
    )  # fmt: skip
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert "tuned 2/2: answers" in compared.stdout
    assert "W&B is offline (WANDB_MODE=offline); `ftdist sync r` uploads" in compared.stdout
    scores = json.loads((trained / "runs/r/report/scores.json").read_text())
    assert scores["base"]["fact_accuracy"] == 0.0
    assert 0.0 <= scores["tuned"]["fact_accuracy"] <= 1.0
    assert (
        scores["paired"]["fact_accuracy"]["n"] == scores["intervals"]["tuned"]["fact_accuracy"]["n"]
    )
    assert scores["cost"]["steps"] == 12
    answers = (trained / "runs/r/report/answers.jsonl").read_text().splitlines()
    assert {json.loads(line)["kind"] for line in answers} == {"fact", "out_of_scope", "instruction"}
    card = (folder / "README.md").read_text()
    assert "| fact_accuracy | 0.00 (0/" in card
    request = json.loads((trained / "runs/r/report/compare.json").read_text())
    assert request["tracking.log_generations"] is False
    merged = ftdist(trained, "merge", "r", *short, "merge.alphas=[0,1]", "merge.trim_largest=[0]")
    assert merged.returncode == 0, merged.stdout + merged.stderr
    output = json.loads((trained / "runs/r/merge/model/points.json").read_text())
    base, tuned = output["candidates"]
    assert base["tuned"]["fact_accuracy"] == scores["base"]["fact_accuracy"]
    assert tuned["tuned"]["fact_accuracy"] == scores["tuned"]["fact_accuracy"]
    weights = "model.safetensors"
    assert output["chosen"] == 1
    model = trained / "runs/r/merge/model"
    assert (model / weights).read_bytes() == (folder / weights).read_bytes()
    assert "chosen" in merged.stdout


def test_served_model_answers_as_in_the_comparison(trained: Path) -> None:
    """Through HTTP and transformers' own server, every answer is the comparison's."""
    served = ftdist(trained, "serve", "r", "--verify", "--backend", "transformers")
    assert served.returncode == 0, served.stdout + served.stderr
    assert served.stdout.startswith("20 of 20 answers are the same as in the comparison")


def test_gguf_of_a_tokenizer_that_llama_cpp_does_not_know_is_refused(trained: Path) -> None:
    converted = ftdist(trained, "export", "r", "--format", "gguf")
    assert converted.returncode == 70
    assert "llama.cpp's converter failed: NotImplementedError: BPE" in converted.stderr
    assert list((trained / "runs/r/gguf").iterdir()) == []


def test_complete_run_is_not_trained_again(trained: Path) -> None:
    again = ftdist(trained, "resume", "r")
    assert again.returncode == 0
    taken = ftdist(trained, "train", "experiment=tiny", "run.name=r")
    assert taken.returncode == 78
    assert "To fix: " in taken.stderr
    assert "Traceback" not in taken.stderr


@pytest.mark.fault("U1")
def test_key_and_value_typos_suggest_the_nearest(tmp_path: Path) -> None:
    done = ftdist(tmp_path, "train", "experiment=tiny", "optim.peek_lr=1e-4", "engine=zero33")
    assert done.returncode == 78
    assert "optim.peak_lr" in done.stderr
    assert "zero3" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.fault("D1", "D2")
@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("library.path=nowhere", "nowhere"),
        ("library.path=empty", "empty"),
        ("library.path=unanswered", "rows.jsonl"),
        ("model.path=nowhere", "nowhere"),
        ("batch.tokens=1000", "batch.tokens=1000"),
        ("batch.tokens=768", "cannot be shared equally by 2 ranks"),
        ("batch.sequence_length=8", "tokens"),
    ],
)
def test_unusable_input_stops_before_anything_starts(
    tmp_path: Path, override: str, said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "unanswered").mkdir()
    question = {"messages": [{"role": "user", "content": "Well?"}]}
    (tmp_path / "unanswered/rows.jsonl").write_text(json.dumps(question) + "\n")
    done = ftdist(tmp_path, "train", "experiment=tiny", "run.name=r", override)
    assert done.returncode == 78, done.stdout + done.stderr
    assert said in done.stderr
    assert "To fix: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs/r/config.yaml").exists()
