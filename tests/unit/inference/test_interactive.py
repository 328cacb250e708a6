"""`ftdist chat` on the tiny model: context, commands, prompts for one or both models, errors."""

import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from ftdist.cli.main import main
from ftdist.config.compose import compose
from ftdist.config.saved_config import load_config, save_config
from ftdist.data.messages import Message
from ftdist.evaluation.report.merge_sweep import POINTS_NAME
from ftdist.inference.hf_model import HFModel
from ftdist.inference.interactive import Settings, chat
from ftdist.inference.model_fingerprint import model_fingerprint
from ftdist.rundir import RunDir
from ftdist.testing import tiny
from tests.support.models.tiny_models import spread_weights

FIRST, SECOND = "How do I charge the Fernbot?", "And now?"
SETTINGS = Settings(prompt=None, models=["tuned"], max_answer_tokens=6, threads=1, device="cpu")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run whose tuned model answers otherwise than its base; both answer at random."""
    root = tmp_path_factory.mktemp("talk")
    made = tiny.make(root / "made")
    run = RunDir(root / "runs" / "r")
    overrides = {
        "run.name": "r", "run.root": root / "runs", "model.path": made / "model",
        "library.path": made / "library", "eval.max_new_tokens": 6, "eval.num_threads": 1,
        "cluster.device": "cpu",
    }  # fmt: skip
    run.create(private=True)
    save_config(compose([f"{key}={value}" for key, value in overrides.items()]), run.config)
    shutil.copytree(made / "model", run.export)
    spread_weights(run.export)
    tuned = AutoModelForCausalLM.from_pretrained(run.export)
    with torch.no_grad():
        # An answer never ends by itself.
        tuned.lm_head.weight[tuned.generation_config.eos_token_id] = 0.0
    tuned.save_pretrained(run.export)
    return run


def _tuned(run: RunDir) -> HFModel:
    return HFModel(run.export, device="cpu", threads=1)


def _tuned_answer(run: RunDir, *turns: str) -> str:
    """The tuned model's answer at the end of a conversation: user, assistant, user."""
    roles = ("user", "assistant")
    messages = [Message(role=roles[n % 2], content=turn) for n, turn in enumerate(turns)]
    return _tuned(run).stream_reply(messages, max_tokens=6, log=lambda piece: None)  # noqa: ARG005


def _shown(text: str) -> str:
    """At random, the model writes control characters as well; no terminal gets to see them."""
    return "".join(c for c in text if c.isprintable())


def _chat(
    run: RunDir, typed: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> tuple[list[str], str]:
    """Answers, and what was said beside them."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    capfd.readouterr()
    chat(run, load_config(run.config), SETTINGS)
    out, err = capfd.readouterr()
    return [part.strip() for part in out.split("\n\n") if part.strip()], err


def test_streamed_pieces_add_up_to_the_answer(run: RunDir) -> None:
    pieces: list[str] = []
    hf_model = _tuned(run)
    messages = [Message(role="user", content=FIRST)]
    whole = hf_model.stream_reply(messages, max_tokens=24, log=pieces.append)
    assert "".join(pieces).strip() == whole
    assert len(pieces) > 1
    assert whole == hf_model.answer([FIRST], max_tokens=24, batch=1)[0]


def test_chat_keeps_its_history_until_reset(
    run: RunDir, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first = _tuned_answer(run, FIRST)
    after, alone = _tuned_answer(run, FIRST, first, SECOND), _tuned_answer(run, SECOND)
    assert after != alone
    answers, err = _chat(run, f"{FIRST}\n\n{SECOND}\n/reset\n{SECOND}\n", monkeypatch, capfd)
    assert answers == [_shown(text) for text in (first, after, alone)]
    assert "Cleared." in err


def test_history_beyond_the_context_drops_the_oldest_turns(
    run: RunDir, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # 512 positions: 300 words fit once, and 600 do not at all.
    answers, err = _chat(
        run, f"{'Fernbot ' * 300}\n{'Fernbot ' * 300}\n{'Fernbot ' * 600}\n{SECOND}\n",
        monkeypatch, capfd,
    )  # fmt: skip
    assert "Dropped the oldest 2 turns" in err
    assert "exceeds the model's context" in err
    assert answers[-1] == _shown(_tuned_answer(run, SECOND))


def test_a_non_utf8_line_loses_neither_later_lines_nor_the_history(
    run: RunDir, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first = _tuned_answer(run, FIRST)
    expected = [_shown(text) for text in (first, _tuned_answer(run, FIRST, first, SECOND))]
    typed = f"{FIRST}\n".encode() + b"a\xff\xfe\n\xed\xa0\x80\n" + f"{SECOND}\n".encode()
    strict = io.TextIOWrapper(io.BytesIO(typed), encoding="utf-8", errors="strict")
    monkeypatch.setattr(sys, "stdin", strict)
    capfd.readouterr()
    chat(run, load_config(run.config), SETTINGS)
    out, err = capfd.readouterr()
    assert [part.strip() for part in out.split("\n\n") if part.strip()] == expected
    assert err.count("That is not UTF-8 text.") == 2


def test_chat_commands_are_not_prompts_and_unknown_ones_list_the_known(
    run: RunDir, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    answers, err = _chat(run, f"/help\n/forget\n/\n{SECOND}\n", monkeypatch, capfd)
    assert answers == [_shown(_tuned_answer(run, SECOND))]
    assert err.count("/reset clears the conversation, /quit or /exit or Ctrl-D ends.") == 3
    for command in ("/quit", "/Exit"):
        answers, err = _chat(run, f"{command}\n{SECOND}\n", monkeypatch, capfd)
        assert answers == []
        assert "/reset clears the conversation" not in err


@pytest.mark.parametrize("asked", ["/etc/hosts", "/reset it?"])
def test_a_question_may_begin_with_a_slash(
    run: RunDir, asked: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    answers, _ = _chat(run, f"{asked}\n", monkeypatch, capfd)
    assert answers == [_shown(_tuned_answer(run, asked))]


def test_a_missing_base_is_reported_and_the_tuned_model_still_answers(
    run: RunDir, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = RunDir(tmp_path / "r")
    shutil.copytree(run.root, own.root)
    config = load_config(run.config)
    gone = replace(config, model=replace(config.model, path=str(tmp_path / "gone")))
    save_config(gone, own.config)
    assert main(["chat", str(own.root), "--both", "-p", FIRST]) == 78
    err = capfd.readouterr().err
    assert f"The base model of run r is no longer in {tmp_path / 'gone'}." in err
    assert f"restore it; `ftdist chat {own.root}` needs only the tuned model." in err
    assert len(err.splitlines()) == 2
    words = [sys.executable, "-m", "ftdist", "chat", str(own.root)]
    chatted = subprocess.run(words, input=FIRST, capture_output=True, text=True, check=True)
    assert chatted.stdout.strip() == _shown(_tuned_answer(run, FIRST))


def test_both_answers_are_labelled_and_computed_on_this_machine(
    run: RunDir, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["chat", str(run.root), "--both", "-p", FIRST, "cluster.executor=slurm"]) == 0
    out, err = capfd.readouterr()
    assert "no job is submitted" in err
    base, tuned = out.split("\n\ntuned: ")
    assert base.startswith("base: ")
    assert tuned.strip() == _shown(_tuned_answer(run, FIRST))
    assert base.removeprefix("base: ").strip() != tuned.strip()


def test_ctrl_d_ends_chat_and_ctrl_c_only_stops_an_answer(
    run: RunDir,
) -> None:
    lead, follow = pty.openpty()
    chatting = subprocess.Popen(
        [sys.executable, "-m", "ftdist", "chat", str(run.root), "eval.max_new_tokens=400"],
        stdin=follow, stdout=follow, stderr=follow, start_new_session=True,
        preexec_fn=lambda: os.close(lead),
    )  # fmt: skip
    os.close(follow)
    try:
        seen = _read_until(lead, "> ")
        assert "Ctrl-D ends" in seen
        os.write(lead, b"\xff\xfe\n")
        assert "That is not UTF-8 text." in _read_until(lead, "> ")
        os.write(lead, b"Hello\n")
        _read_until(lead, "Hello\r\n")
        os.read(lead, 1)  # the answer has begun
        # As the terminal does: to all of its processes.
        os.killpg(chatting.pid, signal.SIGINT)
        assert "Stopped." in _read_until(lead, "> ")
        os.write(lead, b"\x04")
        assert chatting.wait(timeout=60) == 0
    finally:
        chatting.kill()
        chatting.wait()
        os.close(lead)


def _read_until(terminal: int, end: str) -> str:
    text = ""
    while not text.endswith(end):
        text += os.read(terminal, 1024).decode(errors="replace")
    return text


def test_model_output_cannot_control_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    from ftdist.inference.interactive import _write

    _write("a\x1b[31mb\x07\tc 5\u202fkm\n")
    assert capfd.readouterr().out == "a[31mb\tc 5\u202fkm\n"


@pytest.mark.parametrize(("flags", "name"), [([], "tuned"), (["--base"], "base")])
def test_a_prompt_for_one_model_prints_its_answer_alone(
    run: RunDir, flags: list[str], name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["chat", str(run.root), *flags, "-p", "Is 2+2=4?"]) == 0
    out = capfd.readouterr().out
    folder = run.export if name == "tuned" else Path(load_config(run.config).model.path)
    model = HFModel(folder, device="cpu", threads=1)
    messages = [Message(role="user", content="Is 2+2=4?")]
    answer = model.stream_reply(messages, max_tokens=6, log=lambda piece: None)  # noqa: ARG005
    assert out.strip() == _shown(answer)


@pytest.mark.parametrize(
    ("words", "problem", "remedy"),
    [
        (["chat", "R", "--both"], "got no prompt", '`ftdist chat R -p "How do I ...?"`'),
        (["chat", "R", "-p", " \n"], "got no prompt", '`ftdist chat R -p "How do I ...?"`'),
        (["chat", "R", "-p", "a\udcff"], "The prompt is not UTF-8 text.", "`locale`"),
        (["chat", "R", "-p", "a \ud83d"], "The prompt is not UTF-8 text.", "`locale`"),
        (["chat", "R", "--fast"], "--fast is not a flag of `ftdist chat`", "--help"),
        (["chat", "R", "--base", "--both"], "not allowed with argument --base", "--help"),
        (["chat", "R", "-p", "Hi", "train.epochs=3"], "train.epochs cannot change", "leave it out"),
        (["chat", "R", "Hi"], "`ftdist chat` takes one run, but got 2", "`ftdist chat R`"),
        (["chat", "no-run"], "There is no run 'no-run'", "ftdist train"),
    ],
)
def test_usage_errors_have_a_message_and_a_remedy(
    run: RunDir,
    words: list[str],
    problem: str,
    remedy: str,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    handle = str(run.root)
    assert main([handle if word == "R" else word for word in words]) == 78
    err = capfd.readouterr().err.replace(handle, "R")
    assert problem in err
    assert remedy in err
    assert len(err.splitlines()) == 2


def test_the_merged_model_answers_when_requested(
    run: RunDir, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = RunDir(tmp_path / "r")
    shutil.copytree(run.root, own.root)
    assert main(["chat", str(own.root), "--both", "-p", FIRST, "--merged"]) == 78
    output = capfd.readouterr().err
    assert "Run r has no merged model." in output
    assert f"`ftdist merge {own.root}`" in output
    base = load_config(run.config).model.path
    shutil.copytree(base, own.merged_model)
    assert main(["chat", str(own.root), "--both", "-p", FIRST, "--merged"]) == 78
    (own.merged_model / POINTS_NAME).write_text(
        json.dumps({"export": model_fingerprint(own.export)})
    )
    assert main(["chat", str(own.root), "--both", "-p", FIRST, "--merged"]) == 0
    said = capfd.readouterr()
    first, _, second = said.out.partition("\n\n")
    assert second.startswith("merged: ")
    assert first.removeprefix("base: ").strip() == second.removeprefix("merged: ").strip()
    assert str(own.merged_model) in said.err
    (own.export / "generation_config.json").write_text("{}")
    for words in (["-p", FIRST], []):
        assert main(["chat", str(own.root), *words, "--merged"]) == 78
        output = capfd.readouterr().err
        assert (
            f"The merged model of run r was made from another export than {own.export}." in output
        )
        assert f"To fix: run `ftdist merge {own.root}` again, or leave out" in output


@pytest.mark.parametrize("words", [["chat", "{}", "-p", "Hi"], ["chat", "{}"]])
def test_a_run_without_an_export_shows_how_to_export(
    run: RunDir, tmp_path: Path, words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "r"
    bare.mkdir()
    shutil.copy(run.config, bare / "config.yaml")
    assert main([word.format(bare) for word in words]) == 78
    err = capfd.readouterr().err
    assert f"Run r has no exported model to {words[0]}." in err
    assert f"`ftdist export {bare}`" in err


def test_an_unloadable_model_ends_the_command_with_its_error(
    run: RunDir, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "r"
    broken.mkdir()
    shutil.copy(run.config, broken / "config.yaml")
    (broken / "export").mkdir()
    (broken / "export" / "config.json").write_text(json.dumps({"model_type": "llama"}))
    assert main(["chat", str(broken)]) == 78
    err = capfd.readouterr().err
    assert "cannot be loaded" in err
    assert "Traceback" not in err
