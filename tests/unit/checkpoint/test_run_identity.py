"""What a run began with against what is there: real files, a few bytes each."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ftdist_launch.setup.identity import describe_code, record_identity
from safetensors.numpy import load_file, save_file

from ftdist.checkpoint import model_files
from ftdist.checkpoint.changed_models import (
    export_digests,
    refuse_changed_base,
    refuse_changed_export,
    small_files,
)
from ftdist.checkpoint.model_files import weight_digests
from ftdist.checkpoint.run_identity import (
    RunIdentity,
    Section,
    refuse_changed_run,
    refuse_other_checkpoint,
)
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import plan_of, some_config

pytestmark = pytest.mark.fault("C9", "M5")


class Trained:
    """A run that has begun, with its base model's files."""

    def __init__(self, root: Path) -> None:
        self.base = root / "base"
        self.base.mkdir()
        self._write("config.json", {"rms_norm_eps": 1e-6, "vocab_size": 16})
        self._write("tokenizer.json", {"model": {"vocab": {"a": 0}}})
        self._write("tokenizer_config.json", {"eos_token": "</s>"})
        (self.base / "chat_template.jinja").write_text("{{ messages }}")
        save_file({"w": np.arange(8, dtype=np.float32)}, self.base / "model.safetensors")
        self.config: RunConfig = some_config(f"model.path={self.base}", "optim.peak_lr=0.002")
        self.plan: Plan = plan_of(self.config, ranks=1)
        self.run = RunDir(root / "r")
        self.run.create(private=True)
        record_identity(self.run, self.config, self.plan)
        self.run.attempt(1).mkdir()

    def _write(self, name: str, values: dict[str, object]) -> None:
        (self.base / name).write_text(json.dumps(values))

    def refusal(self, *, accept: tuple[str, ...] = ()) -> str:
        with pytest.raises(ConfigError) as refused:
            refuse_changed_run(self.run, self.config, self.plan, accept=accept)
        assert refused.value.exit_code == 78
        return str(refused.value)

    def change_tokenizer(self) -> None:
        self._write("tokenizer.json", {"model": {"vocab": {"b": 0}}})

    def accept(self, *sections: Section) -> None:
        accepting = replace(self.config.resume, accept=list(sections))
        record_identity(self.run, replace(self.config, resume=accepting), self.plan)


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    return Trained(tmp_path)


def test_an_unchanged_run_continues_wherever_its_clock_and_files_stand(trained: Trained) -> None:
    (trained.base / "config.json").touch()
    (trained.base / "README.md").write_text("a card")
    moved = replace(trained.config, cluster=replace(trained.config.cluster, tasks_per_node=4))
    refuse_changed_run(trained.run, moved, trained.plan)
    record_identity(trained.run, moved, trained.plan)
    assert not [e for e in trained.run.read_events() if e["event"] == "changes_accepted"]


def test_a_changed_model_config_is_named_by_its_key_with_both_values(trained: Trained) -> None:
    trained._write("config.json", {"rms_norm_eps": 0.5, "vocab_size": 16})
    text = trained.refusal()
    assert "  - model: config.json: rms_norm_eps: was 1e-06, is 0.5\n" in text
    assert "vocab_size" not in text
    assert "resume.accept=[model]" in text


def test_changed_tokenizer_template_weights_and_keys_are_listed_together(trained: Trained) -> None:
    trained.change_tokenizer()
    trained._write("tokenizer_config.json", {"eos_token": "<|end|>"})
    (trained.base / "chat_template.jinja").write_text("{{ other }}")
    weights = load_file(trained.base / "model.safetensors")
    save_file({"w": weights["w"] * np.float32(1.5)}, trained.base / "model.safetensors")
    optim = replace(trained.config.optim, peak_lr=0.0002)
    trained.config = replace(trained.config, optim=optim)
    lines = trained.refusal().splitlines()
    assert [line.partition(": was")[0] for line in lines[1:-1]] == [
        "  - model: model.safetensors",
        "  - tokenizer: chat_template.jinja",
        "  - tokenizer: tokenizer.json: model",
        "  - tokenizer: tokenizer_config.json: eos_token",
        "  - config: optim.peak_lr",
    ]
    assert lines[4].endswith("eos_token: was </s>, is <|end|>")
    assert lines[5].endswith("was 0.002, is 0.0002")
    assert "resume.accept=[model,tokenizer,config]" in lines[-1]


def test_a_plan_that_was_changed_by_hand_is_found(trained: Trained) -> None:
    trained.plan = replace(trained.plan, steps=trained.plan.steps + 1)
    assert "config: plan.steps: was 30, is 31" in trained.refusal()


def test_only_what_is_named_is_accepted_and_recorded_with_the_old_copy(trained: Trained) -> None:
    old = RunIdentity.read(trained.run)
    assert old is not None
    trained.change_tokenizer()
    trained._write("config.json", {"rms_norm_eps": 0.5, "vocab_size": 16})
    assert "tokenizer.json" not in trained.refusal(accept=("tokenizer",))
    with pytest.raises(ConfigError, match="rms_norm_eps"):
        trained.accept("tokenizer")
    trained.accept("tokenizer", "model")
    refuse_changed_run(trained.run, trained.config, trained.plan)
    (event,) = [e for e in trained.run.read_events() if e["event"] == "changes_accepted"]
    assert event["sections"] == ["model", "tokenizer"]
    assert "model: config.json: rms_norm_eps: was 1e-06, is 0.5" in event["changes"]
    assert '"b"' in (trained.run.model / "tokenizer.json").read_text()
    assert '"a"' in (trained.run.root / "model.1/tokenizer.json").read_text()
    # A checkpoint that was written before still belongs to the run; a foreign one does not.
    own = {"identity": old.digests()}
    refuse_other_checkpoint(trained.run, Path("c"), own)
    foreign = {"identity": {**own["identity"], "library": "another"}}
    with pytest.raises(ConfigError, match="its library differs from that of run r"):
        refuse_other_checkpoint(trained.run, Path("c"), foreign)


def test_an_export_takes_the_copy_and_never_another_tokenizer(trained: Trained) -> None:
    trained.change_tokenizer()
    assert small_files(trained.run, trained.config) == trained.run.model
    (trained.run.model / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"tokenizer: tokenizer\.json: was .*, is"):
        small_files(trained.run, trained.config)
    trained._write("tokenizer.json", {"model": {"vocab": {"a": 0}}})
    assert small_files(trained.run, trained.config) == trained.base


def test_a_comparison_refuses_another_base_and_another_export(trained: Trained) -> None:
    export = trained.run.export
    export.mkdir()
    for path in trained.base.iterdir():
        (export / path.name).write_bytes(path.read_bytes())
    trained.run.append_event("model_exported", step=1, files=export_digests(export))
    refuse_changed_base(trained.run, trained.config)
    refuse_changed_export(trained.run)
    (export / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"changed since it was written: tokenizer\.json"):
        refuse_changed_export(trained.run)
    trained.change_tokenizer()
    with pytest.raises(ConfigError, match="is not what it began with"):
        refuse_changed_base(trained.run, trained.config)


def test_large_weights_are_sampled_in_each_tensor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_files, "MAX_WHOLE_BYTES", 0)
    file = tmp_path / "model.safetensors"
    values = {name: np.ones(10_000, dtype=np.float32) for name in ("a", "b")}  # 40,000 bytes each
    save_file(values, file)
    before = weight_digests(tmp_path)
    assert before["model.safetensors"].startswith("sampled:")
    for changed in (0, 5_000, 9_999):  # in the first, middle and last 4 KiB
        other = values["b"].copy()
        other[changed] = 2
        save_file({"a": values["a"], "b": other}, file)
        assert weight_digests(tmp_path) != before
    save_file({"a": values["a"], "c": values["b"]}, file)  # the header alone
    assert weight_digests(tmp_path) != before
    save_file(values, file)
    assert weight_digests(tmp_path) == before


def test_a_run_without_a_record_has_nothing_to_compare_until_it_is_resumed(
    trained: Trained,
) -> None:
    trained.run.identity.unlink()
    trained.change_tokenizer()
    assert describe_code(trained.run) == (
        "Note: nothing tells what run r began with, so that nothing can be compared; it is "
        "recorded from now on."
    )
    refuse_changed_run(trained.run, trained.config, trained.plan)
    assert small_files(trained.run, trained.config) == trained.base
    record_identity(trained.run, trained.config, trained.plan)
    trained._write("tokenizer.json", {})
    assert "tokenizer.json" in trained.refusal()


def test_a_model_that_moved_with_equal_bytes_is_the_same(trained: Trained, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    trained.base.rename(moved)
    model = replace(trained.config.model, path=str(moved), revision="a commit")
    library = replace(trained.config.library, path=str(tmp_path / "other library"))
    trained.config = replace(trained.config, model=model, library=library)
    refuse_changed_run(trained.run, trained.config, trained.plan)
    record_identity(trained.run, trained.config, trained.plan)
    save_file({"w": np.ones(8, dtype=np.float32)}, moved / "model.safetensors")
    assert "model: model.safetensors" in trained.refusal()


def test_files_that_another_program_adds_to_a_snapshot_change_nothing(trained: Trained) -> None:
    """A whole download of the same commit brings files that ftdist neither loads nor reads."""
    recorded = RunIdentity.read(trained.run)
    for name in ("tokenizer.model.v3", "vocab.bpe", "qwen.tiktoken", "tokenizer.model"):
        (trained.base / name).write_text("tokens")
    refuse_changed_run(trained.run, trained.config, trained.plan)
    record_identity(trained.run, trained.config, trained.plan)
    now = RunIdentity.read(trained.run)
    assert recorded is not None
    assert now is not None
    assert now.digests() == recorded.digests()  # its checkpoints stay its own
    (trained.base / "added_tokens.json").write_text("{}")
    assert "tokenizer: added_tokens.json: was absent" in trained.refusal()


def test_a_record_with_paths_and_other_files_of_an_earlier_version_is_taken(
    trained: Trained,
) -> None:
    recorded = RunIdentity.read(trained.run)
    assert recorded is not None
    old = replace(
        recorded,
        tokenizer=recorded.tokenizer | {"tokenizer.model.v3": "digest"},
        config=recorded.config | {"model.path": "/elsewhere"},
    )
    old.write(trained.run)
    refuse_changed_run(trained.run, trained.config, trained.plan)
    record_identity(trained.run, trained.config, trained.plan)
    refuse_other_checkpoint(trained.run, Path("c"), {"identity": old.digests()})


@pytest.mark.parametrize("whole", [True, False])
def test_ranks_share_the_files_of_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    if not whole:
        monkeypatch.setattr(model_files, "MAX_WHOLE_BYTES", 0)
    for number in range(5):
        values = np.full(9, number, dtype=np.float32)
        save_file({f"w{number}": values}, tmp_path / f"model-{number}.safetensors")
    shares = [weight_digests(tmp_path, rank=rank, size=3) for rank in range(3)]
    assert [len(share) for share in shares] == [2, 2, 1]
    assert {name: d for share in shares for name, d in share.items()} == weight_digests(tmp_path)


def test_other_code_is_shown_and_not_refused(trained: Trained) -> None:
    assert describe_code(trained.run) is None
    recorded = RunIdentity.read(trained.run)
    assert recorded is not None
    old = {"version": "0.0.1", "commit": "0123456789abcdef", "dirty": False}
    replace(recorded, code=old).write(trained.run)
    note = describe_code(trained.run)
    assert note is not None
    assert note.startswith("Note: run r began with ftdist 0.0.1 (012345678); this is ftdist ")
    refuse_changed_run(trained.run, trained.config, trained.plan)
