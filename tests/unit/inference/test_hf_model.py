"""Answers of the tiny model, for real: batches and padding change nothing, the cache is a cache."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from transformers import AutoModelForCausalLM, AutoTokenizer

from ftdist.config.compose import compose
from ftdist.config.saved_config import save_config
from ftdist.errors import DataError, ModelError, StorageError
from ftdist.evaluation.compare import compare
from ftdist.evaluation.probes import read_probes
from ftdist.evaluation.report.terminal import comparison_markdown, print_comparison
from ftdist.inference import loglikelihood
from ftdist.inference.hf_model import HFModel
from ftdist.inference.model_fingerprint import model_fingerprint
from ftdist.inference.sampling import SeededTopPSampling
from ftdist.io.jsonl import read_json_lines
from ftdist.rundir import RunDir
from ftdist.testing import tiny
from tests.support.canary import Canary
from tests.support.models.tiny_models import spread_tiny

QUESTIONS = (
    "How do I charge the Fernbot?",
    "Hello!",
    "What must I do to sharpen the Fernbot blades, and after how many days of mowing?",
    "And now?",
    "Please explain how I can store the Fernbot.",
)
CHOICES = (
    ("oak hook", "moss pad on the left", "no"),
    ("yes", "6"),
    ("a b", "b a"),
    ("x", "y"),
    ("1", "22"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spread_tiny(tmp_path_factory)


@pytest.fixture
def model(made: Path, tmp_path: Path) -> Path:
    """A copy of the model, to change."""
    return Path(shutil.copytree(made / "model", tmp_path / "model"))


def load(folder: Path, **options: Any) -> HFModel:
    return HFModel(folder, device="cpu", threads=1, **options)


OPENINGS = ("The lamp", "A", "If the blades are", "12", "Hello! Is")


def test_sampled_text_depends_on_opening_and_seed_but_not_on_the_batch(made: Path) -> None:
    hf_model = load(made / "model")
    seeds = (1, 2, 3, 4, 5)
    alone = hf_model.continue_texts(OPENINGS, seeds=seeds, max_tokens=12, batch=1)
    assert hf_model.continue_texts(OPENINGS, seeds=seeds, max_tokens=12, batch=5) == alone
    turned = hf_model.continue_texts(OPENINGS[::-1], seeds=seeds[::-1], max_tokens=12, batch=2)
    assert turned[::-1] == alone
    assert all(text.startswith(opening) for text, opening in zip(alone, OPENINGS, strict=True))
    others = hf_model.continue_texts(["The lamp"] * 20, seeds=range(20), max_tokens=12, batch=20)
    assert len(set(others)) > 10


def test_sampling_follows_the_top_token_probabilities() -> None:
    """Of 0.6, 0.3, 0.06 and 0.04 the first three hold more than 0.95: the last is never drawn."""
    scores = torch.tensor([0.6, 0.3, 0.06, 0.04]).log().expand(4000, 4)
    drawn = SeededTopPSampling(range(4000))(torch.zeros(4000, 1, dtype=torch.long), scores).argmax(
        dim=1
    )
    shares = torch.bincount(drawn, minlength=4) / 4000
    expected = torch.tensor([0.6, 0.3, 0.06, 0.0]) / 0.96
    torch.testing.assert_close(shares, expected, atol=0.025, rtol=0)


def test_answers_are_greedy_for_any_batch_size(made: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(made / "model")
    tokenizer = AutoTokenizer.from_pretrained(made / "model")
    expected = []
    for question in QUESTIONS:
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, return_dict=False
        )
        start = len(ids)
        while len(ids) < start + 12 and ids[-1] != tokenizer.eos_token_id:
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        expected.append(tokenizer.decode(ids[start:], skip_special_tokens=True).strip())
    assert len(set(expected)) > 2
    hf_model = load(made / "model")
    output: list[int] = []
    assert hf_model.answer(QUESTIONS, max_tokens=12, batch=1) == expected
    assert hf_model.answer(QUESTIONS, max_tokens=12, batch=3, progress=output.append) == expected
    assert hf_model.answer(QUESTIONS, max_tokens=12, batch=64) == expected
    assert output == [3, 2]


def test_how_far_a_batch_is_is_told_before_each_token(made: Path) -> None:
    progress: list[float] = []
    hf_model = load(made / "model")
    answers = hf_model.answer_with_truncation(
        QUESTIONS[:2], max_tokens=4, batch=2, on_token=progress.append
    )
    assert progress == [0.0, 0.5, 1.0, 1.5][: len(progress)]
    assert len(progress) > 1
    assert [text for text, _ in answers] == hf_model.answer(QUESTIONS[:2], max_tokens=4, batch=2)


def test_likelihoods_equal_those_of_the_whole_text(made: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(made / "model")
    tokenizer = AutoTokenizer.from_pretrained(made / "model")
    ranked = load(made / "model").choice_loglikelihoods(QUESTIONS, CHOICES, batch=3)
    for question, choices, found in zip(QUESTIONS, CHOICES, ranked, strict=True):
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, return_dict=False
        )
        for choice, weighed in zip(choices, found, strict=True):
            tail = tokenizer(choice, add_special_tokens=False)["input_ids"]
            logits = model(torch.tensor([prompt + tail])).logits[0, len(prompt) - 1 : -1]
            picked = logits.log_softmax(-1).gather(-1, torch.tensor(tail)[:, None])
            assert weighed == pytest.approx(picked.sum().item() / len(choice), abs=1e-4)


LONG_CHOICES = (
    ("Hang it on the oak hook, wheels up, then clean the left sensor with rain water.", "no"),
    ("Press the acorn key for 6 seconds", "Use the grey stone at 20 degrees and wait", "1"),
    ("x", "Pull the brass leaf twice"),
    ("y", "z"),
    ("a b", "Rinse it below 25 degrees, rinse it again, and hang it up"),
)


def test_answer_scores_do_not_depend_on_the_logits_chunk_size(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hf_model = load(made / "model")
    sizes = list[int]()
    hf_model.model.get_output_embeddings().register_forward_hook(
        lambda _module, _given, logits: sizes.append(logits.numel())
    )
    whole = hf_model.choice_loglikelihoods(QUESTIONS, LONG_CHOICES, batch=5)
    at_once = max(sizes)
    most = at_once // 4
    monkeypatch.setattr(loglikelihood, "MAX_LOGITS", most)
    sizes.clear()
    pieces = hf_model.choice_loglikelihoods(QUESTIONS, LONG_CHOICES, batch=5)
    assert max(sizes) <= most < at_once
    for found, expected in zip(pieces, whole, strict=True):
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("max_logits", [loglikelihood.MAX_LOGITS, 7000])
def test_losses_do_not_depend_on_batch_or_chunk_size(
    made: Path, monkeypatch: pytest.MonkeyPatch, max_logits: int
) -> None:
    monkeypatch.setattr(loglikelihood, "MAX_LOGITS", max_logits)
    model = AutoModelForCausalLM.from_pretrained(made / "model")
    tokenizer = AutoTokenizer.from_pretrained(made / "model")
    texts = [*QUESTIONS, "a", ""]
    expected = []
    for text in texts[:-2]:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        expected.append((model(ids, labels=ids).loss.item(), ids.shape[1] - 1))
    hf_model = load(made / "model")
    output: list[int] = []
    for batch in (1, 3, 16):
        found = hf_model.text_losses(texts, batch=batch, progress=output.append)
        assert found[-2:] == [(0.0, 0), (0.0, 0)]
        for (loss, tokens), (mean, count) in zip(found[:-2], expected, strict=True):
            assert tokens == count
            assert loss / tokens == pytest.approx(mean, abs=1e-4)
    assert sum(output) == 3 * len(texts)


def test_text_longer_than_the_context_is_cut(made: Path) -> None:
    [(_, tokens)] = load(made / "model").text_losses(["wash it " * 2000], batch=4)
    assert tokens == 511


def test_a_question_without_room_for_an_answer_is_refused(made: Path) -> None:
    """The tiny model reads 512 tokens at once."""
    hf_model = load(made / "model")
    size = len(hf_model._prompt(QUESTIONS[0]))
    hf_model.check_room(QUESTIONS[:1], max_tokens=512 - size)
    with pytest.raises(DataError, match=f"has {size} tokens and its answer up to {513 - size}, "):
        hf_model.check_room(QUESTIONS[:1], max_tokens=513 - size)


def test_answer_ends_at_the_stop_token_of_the_generation_config(made: Path, model: Path) -> None:
    hf_model, question = load(made / "model"), QUESTIONS[:1]
    tokenizer = AutoTokenizer.from_pretrained(model)
    whole = tokenizer(hf_model.answer(question, max_tokens=8, batch=1)[0])["input_ids"]
    settings = json.loads((model / "generation_config.json").read_text())
    for stops in ([tokenizer.eos_token_id, whole[0]], [whole[0], tokenizer.eos_token_id], whole[0]):
        settings["eos_token_id"] = stops
        (model / "generation_config.json").write_text(json.dumps(settings))
        short = load(model).answer(question, max_tokens=8, batch=1)[0]
        assert len(tokenizer(short)["input_ids"]) <= 1 < len(whole)


def test_an_answer_without_a_stop_token_is_truncated(made: Path, model: Path) -> None:
    """One answer ends at its second token: it is whole with two tokens, and cut off with one."""
    first = QUESTIONS[:1]
    tokenizer = AutoTokenizer.from_pretrained(model)
    hf_model = load(model)
    [ids] = hf_model._generate([hf_model._prompt(first[0])], 8)
    assert len(set(ids[:2])) == 2
    settings = json.loads((model / "generation_config.json").read_text())
    settings["eos_token_id"] = ids[1]
    (model / "generation_config.json").write_text(json.dumps(settings))
    stops = {ids[1], tokenizer.eos_token_id}
    for tokens, is_cut in ((1, True), (2, False), (8, False)):
        [(_, found)] = load(model).answer_with_truncation(first, max_tokens=tokens, batch=1)
        assert found == is_cut
    hf_model = load(model)
    whole = [hf_model._generate([hf_model._prompt(q)], 4)[0] for q in QUESTIONS]
    said = hf_model.answer_with_truncation(QUESTIONS, max_tokens=4, batch=5)
    assert [cut for _, cut in said] == [not stops & set(ids) for ids in whole]
    assert {cut for _, cut in said} == {False, True}


def test_sampling_settings_of_the_folder_are_not_used(made: Path, model: Path) -> None:
    settings = json.loads((model / "generation_config.json").read_text())
    settings |= {"do_sample": True, "temperature": 5.0, "repetition_penalty": 3.0}
    (model / "generation_config.json").write_text(json.dumps(settings))
    greedy = load(made / "model").answer(QUESTIONS, max_tokens=8, batch=8)
    assert load(model).answer(QUESTIONS, max_tokens=8, batch=8) == greedy


def test_special_tokens_in_a_question_are_text(made: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(made / "model")
    ids = load(made / "model")._prompt("Hi<|im_end|>")
    assert ids.count(tokenizer.eos_token_id) == 1
    assert "Hi<|im_end|><|im_end|>" in tokenizer.decode(ids)


def test_the_system_prompt_precedes_the_question(made: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(made / "model")
    text = tokenizer.decode(load(made / "model", system_prompt="Be brief.")._prompt("Hi"))
    assert text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi")


def test_a_model_without_a_chat_template_is_refused_unless_one_is_given(
    made: Path, model: Path
) -> None:
    (model / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="has no chat template"):
        load(model)
    given = load(model, chat_template=tiny.CHAT_TEMPLATE)
    assert given._prompt("Hi") == load(made / "model")._prompt("Hi")


@pytest.mark.fault("S2")
def test_pickled_weights_are_refused(model: Path, tmp_path: Path) -> None:
    canary = Canary(tmp_path / "canary")
    (model / "model.safetensors").unlink()
    torch.save({"weights": canary}, model / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(model)
    canary.assert_unharmed()


def test_the_key_of_a_model_depends_on_its_content(made: Path, model: Path) -> None:
    assert model_fingerprint(model) == model_fingerprint(made / "model")
    (model / "chat_template.jinja").write_text("{{ messages }}")
    assert model_fingerprint(model) != model_fingerprint(made / "model")


@pytest.fixture
def run(made: Path, tmp_path: Path) -> RunDir:
    """A run whose tuned model is the base with other weights."""
    run = RunDir(tmp_path / "runs" / "r")
    overrides = {
        "run.name": "r",
        "run.root": tmp_path / "runs",
        "model.path": made / "model",
        "library.path": made / "library",
        "library.cache_dir": tmp_path / "cache",
        "eval.max_new_tokens": 6,
        "eval.num_threads": 1,
        "eval.general_questions": tmp_path / "general.jsonl",
        "eval.num_general_generations": 0,
        "eval.num_instructions": 0,
        "eval.perplexity_texts": tmp_path / "texts.txt",
        "cluster.device": "cpu",
    }
    config = compose([f"{key}={value}" for key, value in overrides.items()])
    general = {"question": "6 or 7?", "answer": "6", "kind": "general", "choices": ["7", "6"]}
    (tmp_path / "general.jsonl").write_text(f"{json.dumps(general)}\n" * 3)
    (tmp_path / "texts.txt").write_text("A hook of oak.\n\nA pad of moss.\nAnd a leaf.\n")
    run.create(private=True)
    save_config(config, run.config)
    shutil.copytree(made / "model", run.export)
    tuned = AutoModelForCausalLM.from_pretrained(run.export)
    with torch.no_grad():
        tuned.model.embed_tokens.weight.copy_(tuned.model.embed_tokens.weight.flip(0))
    tuned.save_pretrained(run.export)
    return run


def test_compare_writes_scores_and_answers(
    made: Path, run: RunDir, capfd: pytest.CaptureFixture[str]
) -> None:
    compare(run.root)
    scores = json.loads((run.report / "scores.json").read_text())
    rows = list(read_json_lines(run.report / "answers.jsonl"))
    probes = read_probes(made / "library" / "probes.jsonl")
    assert scores["base"]["fact_accuracy"] == scores["tuned"]["fact_accuracy"] == 0.0
    assert scores["intervals"]["tuned"]["fact_accuracy"]["n"] == 3 * len(tiny.FACTS)
    assert scores["intervals"]["tuned"]["general_mc_accuracy"]["n"] == 3
    assert scores["paired"]["fact_accuracy_ranked"]["n"] == 3 * len(tiny.FACTS)
    assert scores["general_nll"]["passages"] == 2
    assert scores["general_nll"]["tuned"] != scores["general_nll"]["base"] > 0
    assert [row["question"] for row in rows] == [probe.question for probe in probes]
    assert rows[0]["base"]["answer"] != rows[0]["tuned"]["answer"]
    assert scores["eval_config"]["max_new_tokens"] == 6
    assert scores["eval_config"]["perplexity_texts"].endswith("texts.txt")
    cut = {name: [row[name]["truncated"] for row in rows] for name in ("base", "tuned")}
    assert scores["truncated"] == {
        "tokens": 6, "n": len(rows), "base": sum(cut["base"]), "tuned": sum(cut["tuned"]),
    }  # fmt: skip
    assert sum(cut["base"]) > 0
    assert "28/28, 0s left" in capfd.readouterr().out
    assert "| fact_accuracy | 0.00 (0/24, 0.00 to 0.14) |" in comparison_markdown(run.report)
    console = Console(width=150, record=True)
    print_comparison(run.report, console, examples=3)
    text = console.export_text()
    assert text.count("wrong: ") == 4
    assert "greedy answers of at most 6 tokens; probes: " in text
    assert "tuned model were cut off at 6 tokens." in text


def test_the_base_is_evaluated_once_with_the_request_settings(
    run: RunDir, capfd: pytest.CaptureFixture[str]
) -> None:
    compare(run.root)
    first = (run.report / "answers.jsonl").read_text()
    assert "base: loading" in capfd.readouterr().out
    compare(run.root)
    assert "base: answers read from the cache" in capfd.readouterr().out
    assert (run.report / "answers.jsonl").read_text() == first
    request = {
        "eval.general_questions": "none",
        "eval.num_instructions": 0,
        "eval.perplexity_texts": "none",
        "eval.probes": None,
        "eval.max_new_tokens": 3,
        "eval.batch_size": 8,
        "eval.num_threads": 1,
    }
    run.request("compare").write_text(json.dumps(request))
    compare(run.root)
    assert "base: loading" in capfd.readouterr().out
    assert (run.report / "answers.jsonl").read_text() != first
    asked = json.loads((run.report / "scores.json").read_text())["eval_config"]
    assert (asked["max_new_tokens"], asked["general_questions"]) == (3, "none")


def test_a_run_without_an_export_shows_how_to_export(run: RunDir) -> None:
    shutil.rmtree(run.export)
    with pytest.raises(ModelError) as caught:
        compare(run.root)
    assert "ftdist export r" in caught.value.remedy
    with pytest.raises(StorageError):
        comparison_markdown(run.report)
