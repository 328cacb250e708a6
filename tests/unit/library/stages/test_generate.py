"""Questions and wordings by a language model: what is believed, what is refused, what is kept."""

import json
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
    CandidateQA,
    parse_candidates,
    parse_paraphrases,
    rejection_reason,
)
from tests.support.chat_endpoint import ChatEndpoint, chat_endpoint

pytestmark = pytest.mark.timeout(120)

PASSAGE = Sample(
    text="A-45 Manual > Reset (page 12)\n\nHold the green button for 9 seconds until the lamp "
    "blinks twice.\nThen start it with --fresh.",
    location="m.md, page 12",
    section="Reset",
    made_by="passage",
    doc_id="m.md",
)


def _claim(**changed: str) -> CandidateQA:
    values = {
        "question": "How long must the green button of the A-45 be held?",
        "answer": "Hold the green button for 9 seconds.",
        "quote": "Hold the green button for 9 seconds",
    }
    return CandidateQA(**{**values, **changed})


def test_a_question_quoted_from_the_passage_is_accepted() -> None:
    assert rejection_reason(_claim(), PASSAGE) == ""
    assert rejection_reason(_claim(quote="until the LAMP blinks\ntwice. Then"), PASSAGE) == ""


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"quote": "Hold the red button for 9 seconds"}, "quotes words that are not in the text"),
        ({"quote": "the green"}, "quotes too little"),
        ({"answer": "Hold the green button for 19 seconds."}, "says '19'"),
        ({"answer": "Hold the green button, then start it with --force."}, "says '--force'"),
        ({"answer": "Call the hotline and wait for somebody to help."}, "in other words"),
        ({"question": "What does the text say about the green button?"}, "asks about the text"),
        ({"question": "Hold the green button of the A-45"}, "is no question"),
        ({"question": "How long must the button of the B-70 be held?"}, "says 'B-70'"),
        ({"answer": "button " * 161}, "more than 160 words"),
    ],
)
def test_ungrounded_claims_are_rejected_with_a_reason(changed: dict[str, str], reason: str) -> None:
    assert reason in rejection_reason(_claim(**changed), PASSAGE)


def test_numbers_are_matched_whole() -> None:
    passage = Sample(
        text="T\n\nWait for 190 seconds here.", location="p", made_by="passage", doc_id="u"
    )
    claim = CandidateQA(
        question="How long do I wait here?",
        answer="Wait for 19 seconds here.",
        quote="Wait for 190 seconds",
    )
    assert "'19'" in rejection_reason(claim, passage)


def test_claims_are_parsed_from_typical_model_formats() -> None:
    reply = """Here you are:
1. **Q:** How long?
A: Nine seconds,
no more.
QUOTE: "for 9 seconds"

Q2: And then?
Answer: Let go.
Quote: let go
Q: A last one, cut off
A: in the mid"""
    assert list(parse_candidates(reply)) == [
        CandidateQA(question="How long?", answer="Nine seconds,\nno more.", quote="for 9 seconds"),
        CandidateQA(question="And then?", answer="Let go.", quote="let go"),
    ]


def test_a_paraphrase_keeps_names_and_numbers_and_adds_none() -> None:
    reply = """Sure:
1. What is the way to reset the A-45 widget?
2. How do I reset my A-46 widget?
3. How do I reset my widget?
- My A-45 widget hangs, can I reset it?
How do I reset my A-45 widget?
How do I reset my A-45 widget 3 times?
Where is the A-45 sold?"""
    taken, refused = parse_paraphrases(reply, question="How do I reset my A-45 widget?", count=5)
    assert taken == [
        "What is the way to reset the A-45 widget?",
        "My A-45 widget hangs, can I reset it?",
    ]
    assert refused == [
        "How do I reset my A-46 widget?",
        "How do I reset my widget?",
        "How do I reset my A-45 widget 3 times?",
        "Where is the A-45 sold?",
    ]


MANUAL = """# A-45 Manual

## Reset

Hold the green button for 9 seconds until the lamp blinks twice, then let go of it.

## How long does the battery last?

The battery lasts 14 hours at full brightness and 31 hours in the saving mode of the device.
"""


def _reply(prompt: str) -> str:
    """A model that writes one true question, one false one, and two wordings."""
    if "other ways" in prompt and "battery" in prompt:
        return "How many hours does the battery run?\nHow long can the battery last on one charge?"
    if "other ways" in prompt:
        return "Which button do I hold to reset it?"
    if "green button" not in prompt:
        return ""
    return """Q: Which button of the A-45 must be held?
A: The green button, for 9 seconds.
QUOTE: Hold the green button for 9 seconds
Q: How often must the A-45 be reset?
A: Every 30 days.
QUOTE: every 30 days"""


def _curated(tmp_path: Path, served: ChatEndpoint, *more: str) -> Sequence[Sample]:
    (tmp_path / "m.md").write_text(MANUAL)
    config = compose_curation(
        [
            "library.name=w",
            f"library.root={tmp_path}/libraries",
            f"library.sources=[manuals={tmp_path}/*.md]",
            f"work.cache_dir={tmp_path}/cache",
            "work.num_proc=1",
            "generator.backend=endpoint",
            "generator.model=m",
            f"generator.base_url={served.url}",
            *more,
        ]
    )
    curate(config, model=None, endpoint=open_endpoint(config.generator), log=lambda _: None)
    sources = open_curated(tmp_path / "libraries/w").sources
    return [sample for source in sources for sample in read_samples(source.train)]


def test_endpoint_questions_must_be_grounded_and_rejections_are_shown(
    tmp_path: Path,
) -> None:
    with chat_endpoint(_reply) as served:
        samples = _curated(tmp_path, served)
    written = [s for s in samples if s.made_by == "written"]
    assert [s.messages[0]["content"] for s in written] == ["Which button of the A-45 must be held?"]
    assert written[0].messages[1]["content"].endswith(") The green button, for 9 seconds.")
    assert "A-45 Manual" in written[0].messages[1]["content"]
    worded = {s.messages[0]["content"] for s in samples if s.made_by == "written wording"}
    probes = (tmp_path / "libraries/w/probes.jsonl").read_text().splitlines()
    asked = {json.loads(line)["question"] for line in probes}
    assert "How many hours does the battery run?" in worded | asked
    manifest = json.loads((tmp_path / "libraries/w/manifest.json").read_text())
    [refused] = [name for name in manifest["rules"] if name.startswith("written question refused")]
    assert "30 days" in manifest["rules"][refused]["examples"][0]["excerpt"]


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
    assert any(sample.made_by == "written" for sample in samples)


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
    is_mended = False

    def refuses(prompt: str) -> bool:
        return not is_mended and "green button" in prompt

    with chat_endpoint(_reply, refuses=refuses) as served:
        first = _curated(tmp_path, served)
        manifest = json.loads((tmp_path / "libraries/w/manifest.json").read_text())
        rule = manifest["rules"]["no question written: the model refuses to be asked"]
        card = (tmp_path / "libraries/w/index.html").read_text()
        asked = len(served.prompts)
        assert _curated(tmp_path, served) == first
        again = served.prompts[asked:]
        is_mended = True
        mended = _curated(tmp_path, served)
        apart = tmp_path / "apart"
        apart.mkdir()
        assert mended == _curated(apart, served)
    assert rule["count"] == 1
    assert "(HTTP 400): no" in rule["examples"][0]["excerpt"]
    assert "no question written: the model refuses to be asked</b>: 1" in card
    assert len(again) == 1
    assert "green button" in again[0]
    assert not any(sample.made_by == "written" for sample in first)
    assert any(sample.made_by == "written" for sample in mended)


def test_cached_answers_count_if_all_remaining_prompts_are_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "n.md").write_text("# B-70 Manual\n\n## Rinse\n\nRinse the sieve of the device.\n")
    with chat_endpoint(_reply, refuses=lambda prompt: "sieve" in prompt) as served:
        first = _curated(tmp_path, served, "generator.paraphrases_per_question=0")
        asked = len(served.prompts)
        assert _curated(tmp_path, served, "generator.paraphrases_per_question=0") == first
    assert len(served.prompts) == asked + 1


def _generator(tmp_path: Path, *, takes: Sequence[str] = ()) -> tuple[Generator, list[str]]:
    """A model that refuses all prompts but some, and what it is asked."""
    asked = list[str]()

    def ask(prompts: Sequence[str]) -> list[str | DataError]:
        asked.extend(prompts)
        return ["Yes." if text in takes else DataError("No.", remedy="None.") for text in prompts]

    replies = tmp_path / "replies.jsonl"
    return Generator(ask, key="k", cache=replies, questions=1, paraphrases=0), asked


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
