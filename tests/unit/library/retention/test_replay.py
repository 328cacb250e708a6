"""Replay and out-of-scope samples: general prompts, other products, cached base answers."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ftdist.config.schema.curate import RetentionConfig
from ftdist.data.messages import Message
from ftdist.errors import DataError
from ftdist.library.retention import response_cache
from ftdist.library.retention.fictional_products import RESERVED, TRAINED
from ftdist.library.retention.out_of_scope import out_of_scope_questions
from ftdist.library.retention.replay import (
    BasePrompters,
    CachedPrompter,
    build_retention_set,
    general_prompts,
    openings,
)
from ftdist.library.retention.response_cache import (
    answer_with_cache,
    is_repetitive,
    whole_sentences,
)
from ftdist.library.schema import Sample
from ftdist.library.store.samples import write_samples
from ftdist.library.synthesis.paraphrases import paraphrases

OWN = [
    ["How do I reset my A-45 widget?"],
    ["What does error E17 on the A-45 mean?"],
    ["Does the A-45 work with the B-46?"],
    ["Is it waterproof?"],
]


RETENTION = RetentionConfig(
    replay_sources=[],
    replay_fraction=0.1,
    num_replay_answers=20,
    num_replay_texts=0,
    out_of_scope_fraction=0.5,
    num_out_of_scope_answers=400,
    num_counterfactuals=0,
    product_names=["A-45"],
    max_answer_tokens=32,
    long_answer_fraction=0.25,
    max_long_answer_tokens=256,
    max_text_tokens=50,
)


class _Base:
    """Answers by rote, and can be stopped at a batch."""

    def __init__(self, *, stop_at: int | None = None) -> None:
        self.batches: list[list[str]] = []
        self._stop_at = stop_at

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        if len(self.batches) == self._stop_at:
            raise KeyboardInterrupt
        self.batches.append(list(prompts))
        return ["" if prompt == "mute" else f"Answer to {prompt}" for prompt in prompts]


def test_all_300_general_prompts_are_distinct_and_used() -> None:
    prompts = general_prompts()
    assert len(prompts) == len(set(prompts)) >= 300
    assert all(prompt == prompt.strip() and prompt for prompt in prompts)


def test_every_sixth_general_prompt_is_a_keyword_query_if_it_is_one_question() -> None:
    sixth = general_prompts()[::6]
    assert "difference between frog toad" in sixth
    assert "What is a volcano?" in sixth  # one keyword
    assert "My houseplant has yellow leaves. What is wrong?" in sixth  # two sentences
    others = [text for number, text in enumerate(general_prompts()) if number % 6]
    assert all(text[0].isupper() for text in others)


def test_openings_are_distinct_until_they_repeat_under_another_number() -> None:
    first, again = openings(1000)[:500], openings(1000)
    lines = [prompt.partition(" ")[2] for prompt in again]
    assert len(set(again)) == 1000
    assert 400 <= len(set(lines)) == lines.index(lines[0], 1)
    assert len({prompt.partition(" ")[2].split()[0] for prompt in first[:40]}) >= 30


def test_looping_text_is_detected_by_repeated_4_grams() -> None:
    assert is_repetitive("I do not know. " * 6)
    assert not is_repetitive("no no no no no")
    assert not is_repetitive("one two three four five six seven eight nine ten eleven")


def test_a_text_is_cut_after_its_last_whole_sentence_unless_little_is_left() -> None:
    assert whole_sentences('He said: "It is round." She doubted') == 'He said: "It is round."'
    assert whole_sentences("No. This one goes on and on without") == (
        "No. This one goes on and on without"
    )
    assert whole_sentences("Version 3.5 of it") == "Version 3.5 of it"


def test_the_first_prompts_are_of_many_kinds() -> None:
    assert len({prompt.split()[0] for prompt in general_prompts()[:40]}) >= 15


def test_library_questions_are_rewritten_for_other_products() -> None:
    asked = out_of_scope_questions(OWN, products=["A-45"], count=400, forms=4, seed=1)
    assert len(set(asked)) == 400
    assert not {question.casefold() for question in asked} & {q.casefold() for (q,) in OWN}
    assert any("error E17 on the" in question for question in asked)
    assert not any("A-45" in question for question in asked)


def test_a_library_without_products_gets_2000_names() -> None:
    asked = out_of_scope_questions(
        [["Is it waterproof?"]], products=[], count=2500, forms=4, seed=1
    )
    assert len(set(asked)) == 2500


def test_a_question_about_two_products_is_not_renamed() -> None:
    asked = out_of_scope_questions(OWN, products=["A-45", "B-46"], count=200, forms=4, seed=1)
    assert not any(question.startswith("Does the") for question in asked)


def test_the_longer_of_two_names_is_the_one_replaced() -> None:
    asked = out_of_scope_questions(
        OWN, products=["A-45", "A-45 widget"], count=200, forms=4, seed=1
    )
    assert any(question.startswith("How do I reset my ") for question in asked)
    assert not any("A-45" in question for question in asked)
    assert {
        text for text in asked if "reset my" in text and text.endswith("widget widget?")
    } == set()


@pytest.mark.parametrize("products", [["Norvik"], ["norvik"]])
def test_names_of_the_library_are_never_used_for_others(products: list[str]) -> None:
    own = [["Why does my kettle by Acme not boil?"]]
    asked = " ".join(out_of_scope_questions(own, products=products, count=3000, forms=4, seed=1))
    assert "Norvik" not in asked
    assert "Acme" not in asked
    assert "How do kettles work?" not in asked
    assert "kettle" in asked


def test_the_same_seed_gives_the_same_questions_and_another_gives_others() -> None:
    one, again, other = (
        out_of_scope_questions(order, products=["A-45"], count=50, forms=4, seed=seed)
        for order, seed in ((OWN, 1), (OWN[::-1], 1), (OWN, 2))
    )
    assert one == again != other


def test_nothing_reserved_for_probes_is_in_the_training_data() -> None:
    reserved = re.compile(rf"\b({'|'.join(RESERVED.things)})s?\b")
    assert [thing for thing in TRAINED.things if reserved.search(thing)] == []
    assert not {*RESERVED.things} & {*TRAINED.things}


def test_out_of_scope_names_are_spread_evenly_over_all_paraphrases() -> None:
    """300 questions: 200 of the library's, two of which name one product: 100 of each."""
    library = [paraphrases(text, count=4, seed=1) for (text,) in OWN]
    names = ["A-45", "B-46"]
    asked = out_of_scope_questions(library, products=names, count=300, forms=4, seed=1)
    forms = [re.escape(text).replace("A\\-45", ".+") for at in (0, 1) for text in library[at]]
    shapes = Counter(form for text in asked for form in forms if re.fullmatch(form, text))
    assert shapes.total() == pytest.approx(200, abs=3)
    assert len(shapes) == 8
    assert all(times == pytest.approx(25, abs=2) for times in shapes.values())


def test_other_products_are_named_in_varied_styles() -> None:
    asked = out_of_scope_questions([OWN[0]], products=["A-45 widget"], count=400, forms=1, seed=1)
    names = [text[len("How do I reset my ") : -1] for text in asked if " reset my " in text]
    ways = Counter(
        "thing"
        if name in TRAINED.things
        else "model"
        if name in TRAINED.models
        else "maker model"
        if name.partition(" ")[2] in TRAINED.models
        else "model thing"
        for name in names
    )
    assert set(ways) == {"thing", "model", "maker model", "model thing"}
    assert not {"3", "12", "Pro"} & set(names)


def test_things_named_in_the_library_are_not_used_as_product_names() -> None:
    own = [["How do I reset my A-45 kettle?"], ["Is my A-45 loud?"]]
    asked = out_of_scope_questions(own, products=["A-45"], count=4000, forms=1, seed=1)
    assert "Is my waffle iron loud?" in asked
    assert "Is my kettle loud?" not in asked


def test_out_of_scope_questions_reuse_training_forms_and_some_name_no_product() -> None:
    """600 questions: 400 of the library's, 100 of any product, 100 of things of a kind."""
    asked = out_of_scope_questions(OWN, products=["A-45", "B-46"], count=600, forms=4, seed=1)
    common = [text for text in asked if "E17" not in text and "reset my" not in text]
    nameless = [text for text in common if not any(m in text for m in TRAINED.makers)]
    assert len(common) == pytest.approx(200, abs=3)
    assert len(nameless) == pytest.approx(100, abs=5)
    as_written = {topic.split()[0] for topic in TRAINED.topics}
    assert {text.split()[0] for text in nameless} - as_written, "other wordings too"


def test_braces_of_a_question_are_left_alone() -> None:
    asked = out_of_scope_questions(
        [["Is {name} an A-45?"]], products=["A-45"], count=20, forms=4, seed=1
    )
    assert len(asked) == 20
    assert not any("{" in question or question.startswith("Is an") for question in asked)


def test_the_base_answers_each_prompt_once(tmp_path: Path) -> None:
    cache, base = tmp_path / "answers" / "key.jsonl", _Base()
    first = answer_with_cache(["a", "b", "a"], ask=base, cache=cache)
    assert first == [("a", "Answer to a"), ("b", "Answer to b"), ("a", "Answer to a")]
    assert answer_with_cache(["b", "c"], ask=base, cache=cache)[1] == ("c", "Answer to c")
    assert base.batches == [["a", "b"], ["c"]]


def test_interrupted_generation_resumes(tmp_path: Path) -> None:
    prompts, cache = [str(number) for number in range(70)], tmp_path / "a.jsonl"
    with pytest.raises(KeyboardInterrupt):
        answer_with_cache(prompts, ask=_Base(stop_at=1), cache=cache)
    base = _Base()
    assert len(answer_with_cache(prompts, ask=base, cache=cache)) == 70
    assert [len(batch) for batch in base.batches] == [32, 6]


def test_generation_reports_its_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, output = tmp_path / "a.jsonl", list[str]()
    answer_with_cache(["0", "1"], ask=_Base(), cache=cache, log=output.append)
    assert output == ["0/2", "2/2, 0s left"]
    monkeypatch.setattr(response_cache, "_LOG_EVERY_S", -1)
    answer_with_cache(
        [str(number) for number in range(70)], ask=_Base(), cache=cache, log=output.append
    )
    assert output[2] == "0/68, 2 more from the cache"
    assert [words.partition(",")[0] for words in output[3:]] == [f"{n}/68" for n in range(1, 69)]
    assert ["left" in words for words in output[3:]] == [False] * 32 + [True] * 36


def test_each_answer_is_stored_once_it_is_generated(tmp_path: Path) -> None:
    cache = tmp_path / "a.jsonl"

    def one_and_a_half_batches(prompts: Sequence[str]) -> Iterator[str]:
        for prompt in prompts:
            if prompt == "40":
                raise KeyboardInterrupt
            yield f"Answer to {prompt}"

    with pytest.raises(KeyboardInterrupt):
        answer_with_cache(list(map(str, range(64))), ask=one_and_a_half_batches, cache=cache)
    assert len(cache.read_text().splitlines()) == 40


def test_a_torn_last_line_is_generated_again_and_stored(tmp_path: Path) -> None:
    cache = tmp_path / "a.jsonl"
    answer_with_cache(["a", "b"], ask=_Base(), cache=cache)
    cache.write_bytes(cache.read_bytes()[:-9])
    base = _Base()
    for _ in range(2):
        assert len(answer_with_cache(["a", "b", "c"], ask=base, cache=cache)) == 3
    assert base.batches == [["b", "c"]]


def test_an_unanswered_prompt_is_omitted_and_not_retried(tmp_path: Path) -> None:
    base = _Base()
    for _ in range(2):
        assert answer_with_cache(["mute", "a"], ask=base, cache=tmp_path / "a.jsonl") == [
            ("a", "Answer to a")
        ]
    assert len(base.batches) == 1


def test_a_refused_prompt_is_omitted_and_retried_next_time(tmp_path: Path) -> None:
    refusal, base, cache = DataError("No.", remedy="None."), _Base(), tmp_path / "a.jsonl"
    refusing = lambda prompts: [refusal if text == "b" else text for text in prompts]  # noqa: E731
    assert answer_with_cache(["a", "b"], ask=refusing, cache=cache) == [("a", "a")]
    assert answer_with_cache(["a", "b"], ask=base, cache=cache) == [
        ("a", "a"),
        ("b", "Answer to b"),
    ]
    assert base.batches == [["b"]]


def test_a_fraction_of_answers_is_long_and_each_prompt_keeps_its_length(tmp_path: Path) -> None:
    of_size = {32: _Base(), 96: _Base()}
    short, long = of_size.values()
    base = BasePrompters(
        answers=lambda tokens: CachedPrompter(
            ask=of_size[tokens], cache=tmp_path / f"{tokens}.jsonl"
        ),
        texts=CachedPrompter(ask=_Base(), cache=tmp_path / "texts.jsonl"),
    )

    def answer(prompts: list[str], fraction: float) -> list[str]:
        pairs = base.answer(prompts, short=32, long=96, long_fraction=fraction)
        return [prompt for prompt, _ in pairs]

    prompts = ["mute", *map(str, range(1000))]
    assert answer(prompts, 0.2) == prompts[1:]
    asked_long = {prompt for batch in long.batches for prompt in batch}
    asked_short = {prompt for batch in short.batches for prompt in batch}
    assert 150 < len(asked_long) < 250
    assert not asked_long & asked_short
    assert asked_long | asked_short == set(prompts)
    before = len(long.batches), len(short.batches)
    answer(prompts[:500], 0.2)
    assert (len(long.batches), len(short.batches)) == before
    answer(["new"], 0.0)
    answer(["new"], 1.0)
    assert (short.batches[-1], long.batches[-1]) == (["new"], ["new"])


@pytest.mark.parametrize(("words", "replay_too", "tokens"), [(8, False, 96), (120, True, 150)])
def test_a_fourth_of_out_of_scope_answers_is_long_even_if_no_answer_of_the_library_is(
    tmp_path: Path, words: int, replay_too: bool, tokens: int
) -> None:
    answer = " ".join(["word"] * words)  # of 120 words: 599 characters, about 150 tokens
    chat: tuple[Message, ...] = (
        {"role": "user", "content": "How do I reset my A-45 widget?"},
        {"role": "assistant", "content": answer},
    )
    path = tmp_path / "train.parquet"
    write_samples(path, [Sample(messages=chat, location="a", made_by="as written", doc_id="a")])
    asked: dict[int, list[str]] = {}

    def answers(most: int) -> CachedPrompter:
        def ask(prompts: Sequence[str]) -> list[str]:
            asked.setdefault(most, []).extend(prompts)
            return [f"Answer to {prompt}" for prompt in prompts]

        return CachedPrompter(ask=ask, cache=tmp_path / f"{most}.jsonl")

    build_retention_set(
        [path],
        settings=RETENTION,
        forms=4,
        probes=0,
        seed=1,
        base=BasePrompters(answers=answers, texts=answers(1)),
    )
    general = set(general_prompts()[:20])
    assert sorted(asked) == [32, tokens]
    assert bool(general & set(asked[tokens])) is replay_too
    others = [len(set(asked[most]) - general) for most in (32, tokens)]
    assert others[1] == pytest.approx(0.25 * sum(others), rel=0.2)
