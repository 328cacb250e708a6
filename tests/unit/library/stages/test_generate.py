"""Questions by a language model: what is asked for, what is refused, what is cached."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from ftdist.config.compose import compose_curation
from ftdist.errors import ConfigError, DataError
from ftdist.inference.openai_client import open_endpoint
from ftdist.library.pipeline import curate
from ftdist.library.schema import Sample
from ftdist.library.stages.generate import Generator
from ftdist.library.store.dataset import open_curated
from ftdist.library.store.samples import read_samples
from ftdist.library.synthesis.llm_outputs import (
    parse_questions,
    questions_prompt,
    rejection_reason,
)
from ftdist.library.synthesis.qa_pair import QAPair
from tests.support.chat_endpoint import ChatEndpoint, chat_endpoint

pytestmark = pytest.mark.timeout(120)

TEXT = """A-45 Manual > Reset (page 12)

Hold the green button for 9 seconds until the lamp blinks twice.
Then start it with --fresh."""


def _fact(**changed: str) -> QAPair:
    values = {
        "question": "How long must the green button of the A-45 be held?",
        "answer": "Hold the green button for 9 seconds until the lamp blinks twice.",
        "value": "9 seconds",
        "made_by": "sentence",
        "section": "Reset",
        "evidence": "Hold the green button for 9 seconds until the lamp blinks twice.",
    }
    return QAPair(**{**values, **changed}, page=12)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "question",
    [
        "My A-45 hangs. How many seconds do I press the key to restart it?",
        "What is the waiting time with the finger on the A-45's knob?",
        "My second-hand A-45 hangs. How do I get it up-to-date with a fresh start?",
    ],
)
def test_a_question_in_other_words_than_the_text_is_accepted(question: str) -> None:
    assert rejection_reason(question, _fact(), text=TEXT) == ""


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("What does the text say about the A-45's button?", "asks about the text"),
        ("Hold the green button of the A-45", "is no question"),
        ("The A-45?", "is no question"),
        ("word " * 41 + "A-45?", "is no question"),
        ("How long must the button of the A-45 be held, like on the B-70?", "says 'B-70'"),
        ("Do I hold the button of the A-45 for 19 seconds?", "says '19'"),
        ("Is the A-45 started with --force?", "says '--force'"),
        ("How long must I press the green button?", "leaves out 'a 45'"),
        ("Must I press the A-45's button for 9 seconds?", "gives its answer away"),
    ],
)
def test_a_question_that_makes_its_answer_wrong_is_rejected(question: str, reason: str) -> None:
    assert reason in rejection_reason(question, _fact(), text=TEXT)


def test_a_value_that_the_known_question_holds_may_be_asked_with() -> None:
    fact = _fact(question="Is the button of the A-45 held for 9 seconds?")
    question = "Must I press the A-45's button for 9 seconds?"
    assert rejection_reason(question, fact, text=TEXT) == ""


def test_numbers_are_matched_whole() -> None:
    text = "T\n\nWait for 190 seconds here."
    fact = _fact(question="", value="", answer="Wait for 190 seconds here.")
    assert "'19'" in rejection_reason("Do I wait for 19 seconds?", fact, text=text)
    assert rejection_reason("Do I wait for 190 seconds?", fact, text=text) == ""


@pytest.mark.parametrize("made_by", ["sentence", "cloze"])
def test_of_a_sentence_as_question_only_what_the_title_names_is_needed(made_by: str) -> None:
    question = "With the A-45, what blinks after 9 seconds?"
    fact = _fact(question=question, value="", made_by=made_by)
    assert rejection_reason("How do I see that my A-45 restarts?", fact, text=TEXT) == ""
    assert "'a 45'" in rejection_reason("How do I see that it restarts?", fact, text=TEXT)
    row = _fact(question=question, value="", made_by="table")
    assert "'9'" in rejection_reason("What of the A-45 blinks?", row, text=TEXT)


@pytest.mark.parametrize(
    "question",
    [
        "\u30ea\u30bb\u30c3\u30c8\u306f\u4f55\u79d2\u3067\u3059\u304b\uff1f",
        "\u0643\u0645 \u062b\u0627\u0646\u064a\u0629 \u0623\u0646\u062a\u0638\u0631\u061f",
    ],
)
def test_questions_in_other_scripts_are_accepted(question: str) -> None:
    assert rejection_reason(question, _fact(question=""), text=TEXT) == ""


def test_the_prompt_numbers_the_facts_with_what_is_known_of_them() -> None:
    bare = _fact(question="", answer="Then start it\nwith --fresh.")
    prompt = questions_prompt([_fact(answer="9 seconds"), bare], text=TEXT, count=4)
    assert prompt.startswith(TEXT)
    assert "\n1. How long must the green button of the A-45 be held? 9 seconds\n" in prompt
    assert "\n2. Then start it with --fresh.\n" in prompt
    assert "Write 4 questions" in prompt


def test_questions_are_parsed_from_typical_model_formats() -> None:
    reply = """<think>1: Do they want
1: questions?</think>
Here you are:
1: How long?
1: How long?
**2:** "And then?"
2. What next?
Part 3:
- Q: What is it?
- *Who sells it?*
9: A part that there is not?"""
    assert parse_questions(reply, facts=3) == {
        0: ["How long?"],
        1: ["And then?", "What next?"],
        2: ["What is it?", "Who sells it?"],
    }


MANUAL = """# A-45 Manual

## Reset

Hold the green button for 9 seconds until the lamp blinks twice, then let go of it.

## How long does the battery last?

The battery lasts 14 hours at full brightness and 31 hours in the saving mode of the device.
"""


def _reply(prompt: str) -> str:
    """A model that writes good questions, and a false one."""
    lines = []
    for number, fact in re.findall(r"^(\d+)\. (.+)$", prompt, re.MULTILINE):
        if "green button" in fact:
            lines += [f"{number}: Which key of the A-45 do I press when it hangs?"]
            lines += [f"{number}: How often must the A-45 be reset within 30 days?"]
        if "battery" in fact:
            lines += [f"{number}: How many hours does it run?"]
    return "\n".join(lines)


def _curated(
    tmp_path: Path, served: ChatEndpoint, *more: str, manual: str = MANUAL
) -> Sequence[Sample]:
    (tmp_path / "m.md").write_text(manual)
    config = compose_curation(
        [
            "library.name=w",
            f"library.root={tmp_path}/libraries",
            f"library.sources=[manuals={tmp_path}/*.md]",
            f"work.cache_dir={tmp_path}/cache",
            "work.num_proc=1",
            "generator.backend=endpoint",
            "generator.model=m",
            "generator.questions_per_fact=2",
            f"generator.base_url={served.url}",
            *more,
        ]
    )
    curate(config, model=None, endpoint=open_endpoint(config.generator), log=lambda _: None)
    sources = open_curated(tmp_path / "libraries/w").sources
    return [sample for source in sources for sample in read_samples(source.train)]


def test_endpoint_questions_get_the_documents_answers_and_rejections_are_shown(
    tmp_path: Path,
) -> None:
    with chat_endpoint(_reply) as served:
        samples = _curated(tmp_path, served)
    worded = {
        s.messages[0]["content"]: s.messages[1]["content"]
        for s in samples
        if s.made_by == "written wording"
    }
    answer = worded["Which key of the A-45 do I press when it hangs?"]
    assert answer == (
        '(A-45 Manual, section "Reset") Hold the green button for 9 seconds until the lamp blinks '
        "twice, then let go of it."
    )
    assert sum("Which key of the A-45" in str(s.messages) for s in samples) == 1
    probes = (tmp_path / "libraries/w/probes.jsonl").read_text().splitlines()
    asked = {json.loads(line)["question"] for line in probes}
    assert "How many hours does it run?" in worded.keys() | asked
    manifest = json.loads((tmp_path / "libraries/w/manifest.json").read_text())
    [refused] = [name for name in manifest["rules"] if name.startswith("written question refused")]
    assert refused == "written question refused: it says what the text does not"
    assert "30 days" in manifest["rules"][refused]["examples"][0]["excerpt"]


def test_sentences_that_no_rule_asks_for_are_asked_for_by_the_model(tmp_path: Path) -> None:
    sieve = "Das Sieb wird jeden Montag mit warmem Wasser gereinigt."
    german = (
        f"# Pumpe P-3\n\n## Pflege\n\n{sieve} Die Dichtung braucht einmal im Jahr etwas Fett.\n"
    )
    with chat_endpoint(lambda _: "1: Wie oft reinige ich das Sieb?\n1: Womit?") as served:
        samples = _curated(tmp_path, served, manual=german)
    written, *_ = [s for s in samples if s.made_by == "written"]
    assert written.messages[0]["content"] == "Wie oft reinige ich das Sieb?"
    assert f"{sieve} Die Dichtung" in written.messages[1]["content"]  # its paragraph


def test_a_question_written_for_two_facts_is_trained_for_neither(tmp_path: Path) -> None:
    def reply(prompt: str) -> str:
        facts = len(re.findall(r"^\d+\. ", prompt, re.MULTILINE))
        same = [f"{n}: What must I know about the A-45?" for n in range(1, facts + 1)]
        return "\n".join([*same, "1: Where is the button of the A-45?"])

    manual = "# A-45 Manual\n\n## Use\n\nThe button is on the left side. The lamp is on the lid.\n"
    with chat_endpoint(reply) as served:
        samples = _curated(tmp_path, served, manual=manual)
    asked = {s.messages[0]["content"] for s in samples if "written" in s.made_by}
    assert asked == {"Where is the button of the A-45?"}


def test_a_model_that_writes_too_few_questions_is_not_relied_on(tmp_path: Path) -> None:
    with chat_endpoint(_reply) as served:
        samples = _curated(tmp_path, served, "generator.questions_per_fact=5")
    assert not any("written" in sample.made_by for sample in samples)  # 2 of 5, and 1 of 5
    manifest = json.loads((tmp_path / "libraries/w/manifest.json").read_text())
    [note] = [note for note in manifest["missing"] if "the language model wrote" in note]
    assert note.startswith("Of 3 questions that the language model wrote, 0 could be used;")
    rules = manifest["rules"]
    [refused] = [name for name in rules if name.startswith("written question refused")]
    assert refused == "written question refused: it is one of too few for its fact"


def test_facts_are_asked_for_in_prompts_that_their_questions_fit(tmp_path: Path) -> None:
    sentences = [f"Lamp {n} of the A-45 is on side {n}." for n in range(6)]
    manual = "# A-45 Manual\n\n## Lamps\n\n" + " ".join(sentences) + "\n"
    settings = ("generator.questions_per_fact=4", "generator.max_tokens=192")
    with chat_endpoint(lambda _: "") as served:
        _curated(tmp_path, served, *settings, manual=manual)
    facts = [len(re.findall(r"^\d+\. ", prompt, re.MULTILINE)) for prompt in served.prompts]
    assert sorted(facts) == [1, 2, 2, 2]  # 8 questions of 24 tokens, 4 for each fact


def test_endpoint_answers_are_cached(tmp_path: Path) -> None:
    with chat_endpoint(_reply) as served:
        first = _curated(tmp_path, served)
        asked = len(served.prompts)
        again = _curated(tmp_path, served, "synthesis.passage_words=299")  # builds samples again
        assert len(served.prompts) == asked > 0
    assert first == again


def test_a_transient_endpoint_failure_is_retried_without_loss(tmp_path: Path) -> None:
    with chat_endpoint(_reply, status=lambda n: 503 if n == 0 else 200) as served:
        samples = _curated(tmp_path, served)
    assert any(sample.made_by == "written wording" for sample in samples)


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (400, DataError, "HTTP 400): no.\nTo fix: set generator.max_tokens below"),
        (401, ConfigError, "refuses a request without a key (HTTP 401)"),
        (404, ConfigError, "generator.model"),
        (418, DataError, ""),
        (422, DataError, "HTTP 422): no."),
    ],
)
def test_an_endpoint_refusal_is_one_clear_error(
    tmp_path: Path, status: int, error: type[ConfigError], words: str
) -> None:
    with (
        chat_endpoint(_reply, status=lambda _: status) as served,
        pytest.raises(error, match=r"generator\.base_url=http://127") as output,
    ):
        _curated(tmp_path, served)
    assert words in str(output.value)


def test_a_refused_prompt_is_counted_and_retried_later(
    tmp_path: Path,
) -> None:
    is_mended, one_fact = False, ("generator.max_tokens=48",)

    def refuses(prompt: str) -> bool:
        return not is_mended and bool(re.search(r"^\d+\. .*green button", prompt, re.MULTILINE))

    with chat_endpoint(_reply, refuses=refuses) as served:
        first = _curated(tmp_path, served, *one_fact)
        manifest = json.loads((tmp_path / "libraries/w/manifest.json").read_text())
        rule = manifest["rules"]["no question written: the model refuses to be asked"]
        card = (tmp_path / "libraries/w/index.html").read_text()
        asked = len(served.prompts)
        assert _curated(tmp_path, served, *one_fact) == first
        again = served.prompts[asked:]
        is_mended = True
        mended = _curated(tmp_path, served, *one_fact)
        apart = tmp_path / "apart"
        apart.mkdir()
        assert mended == _curated(apart, served, *one_fact)
    assert rule["count"] == 1
    assert "(HTTP 400): no" in rule["examples"][0]["excerpt"]
    assert "no question written: the model refuses to be asked</b>: 1" in card
    assert len(again) == 1
    assert "green button" in again[0]
    assert not any("A-45 do I press" in str(sample.messages) for sample in first)
    assert any("A-45 do I press" in str(sample.messages) for sample in mended)


def test_cached_answers_count_if_all_remaining_prompts_are_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "n.md").write_text("# B-70 Manual\n\n## Rinse\n\nRinse the sieve of the device.\n")
    with chat_endpoint(_reply, refuses=lambda prompt: "sieve" in prompt) as served:
        first = _curated(tmp_path, served)
        asked = len(served.prompts)
        assert _curated(tmp_path, served) == first
    assert len(served.prompts) == asked + 1


def _generator(tmp_path: Path, *, takes: Sequence[str] = ()) -> tuple[Generator, list[str]]:
    """A model that refuses all prompts but some, and what it is asked."""
    asked = list[str]()

    def ask(prompts: Sequence[str]) -> list[str | DataError]:
        asked.extend(prompts)
        return ["Yes." if text in takes else DataError("No.", remedy="None.") for text in prompts]

    replies = tmp_path / "replies.jsonl"
    return Generator(ask, key="k", cache=replies, questions=1, max_tokens=99), asked


def test_generation_stops_early_if_the_model_refuses_everything(tmp_path: Path) -> None:
    generator, asked = _generator(tmp_path)
    for number in range(6):  # pieces of 5 prompts each
        assert generator.answer([f"{number} {n}" for n in range(5)]) == {}
    with pytest.raises(DataError, match="No"):
        generator.answer([f"more {n}" for n in range(1000)])
    assert len(asked) == 62
    assert not (tmp_path / "replies.jsonl").exists()


def test_a_model_that_takes_one_prompt_may_refuse_all_others(tmp_path: Path) -> None:
    prompts = [str(n) for n in range(100)]
    generator, asked = _generator(tmp_path, takes=["7"])
    assert generator.answer(prompts) == {"7": "Yes."}
    generator.check_answers()
    assert len(generator.refused) == 99
    assert generator.answer(prompts) == {"7": "Yes."}
    assert len(asked) == 199


def test_the_api_key_comes_from_the_environment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "k-123")
    with chat_endpoint(_reply) as served:
        _curated(tmp_path, served, "generator.api_key_env=MY_KEY")
    assert served.keys == {"Bearer k-123"}
    found = [p for p in tmp_path.rglob("*") if p.is_file() and b"k-123" in p.read_bytes()]
    assert found == []


@pytest.mark.fault("XD")
def test_a_key_that_the_config_does_not_name_is_sent_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "WANDB_API_KEY"):
        monkeypatch.setenv(name, f"sk-canary-{name}")
    with chat_endpoint(_reply) as served:
        _curated(tmp_path, served)
    assert served.keys == {"Bearer none"}


@pytest.mark.fault("XD")
@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://10.0.0.1/v1", True),
        ("http://node7:8000/v1", True),
        ("http://localhost.evil.org/v1", True),
        ("http://127.0.0.1@evil.org/v1", True),
        ("https://api.example.org/v1", False),
        ("http://localhost:8000/v1", False),
        ("http://127.0.0.9:1/v1", False),
        ("http://[::1]:1/v1", False),
    ],
)
def test_a_key_is_never_sent_unencrypted_to_another_machine(
    url: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-canary")
    words = ["library.name=w", "library.sources=[x]", "generator.backend=endpoint"]
    words += ["generator.model=m", f"generator.base_url={url}"]
    open_endpoint(compose_curation(words).generator)  # without a key it may be asked
    config = compose_curation([*words, "generator.api_key_env=MY_KEY"]).generator
    if not refused:
        open_endpoint(config)
        return
    with pytest.raises(ConfigError, match=r"key in \$MY_KEY unencrypted") as caught:
        open_endpoint(config)
    assert "sk-canary" not in str(caught.value)


def test_an_endpoint_without_a_model_is_refused_before_reading() -> None:
    config = compose_curation(
        ["library.name=w", "library.sources=[x]", "generator.backend=endpoint"]
    )
    with pytest.raises(ConfigError, match=r"generator\.model"):
        open_endpoint(config.generator)
