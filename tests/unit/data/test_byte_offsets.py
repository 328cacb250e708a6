"""Where tokens stand, told from their bytes: the same as the tokenizer's own account of it."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from ftdist.data.byte_offsets import ByteLevel, byte_level
from ftdist.data.special_tokens import SpecialTokens

SPECIALS = ("<|user|>", "<|end|>")


@cache
def tokenizer_of(*, composed: bool = False, swallows: bool = False) -> PreTrainedTokenizerFast:
    """A byte-level BPE with pieces of several letters, some of which are parts of a character."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    core.decoder = decoders.ByteLevel()
    if composed:
        core.normalizer = normalizers.NFC()
    core.train_from_iterator(
        ["Hold the red button, then wait. h\u00e9re \u65e5\u672c \U0001f600\U0001f601\n\n"] * 3,
        trainers.BpeTrainer(
            vocab_size=320,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=[
                AddedToken(name, special=True, normalized=False, rstrip=swallows)
                for name in SPECIALS
            ],
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|end|>")


def bytes_of(tokenizer: PreTrainedTokenizerFast) -> tuple[SpecialTokens, ByteLevel | None]:
    """What reads the tokenizer's bytes, and what the same is without it."""
    specials = SpecialTokens(tokenizer)
    found, specials._bytes = specials._bytes, None
    return specials, found


LETTERS = st.sampled_from(
    ["a", " ", "\n", "7", "Hold the", "\u00e9", "e\u0301", "\u65e5", "\U0001f600", *SPECIALS]
)


@given(st.lists(LETTERS, max_size=30).map(lambda some: "<|user|>" + "".join(some)), st.data())
@example("<|user|>\nHold\u00e9<|end|>", None)
@pytest.mark.parametrize("composed", [False, True])
@pytest.mark.parametrize("swallows", [False, True])
def test_the_tokens_within_spans_are_those_of_the_tokenizer_s_own_offsets(
    composed: bool, swallows: bool, text: str, data: Any
) -> None:
    tokenizer = tokenizer_of(composed=composed, swallows=swallows)
    specials, found = bytes_of(tokenizer)
    at = st.lists(st.integers(0, len(text)), min_size=4, max_size=4, unique=True)
    cuts = sorted(data.draw(at)) if data else [2, 4, 9, 12]
    spans = list(zip(cuts[::2], cuts[1::2], strict=True))
    [(ids, slow)] = specials.encode([text], spans=[spans])
    assert found is not None

    quick = found.within(text, ids, spans)

    assert quick in (None, slow)
    if not composed and not swallows:
        assert quick is not None


def test_a_token_that_is_a_part_of_a_character_counts_to_its_span() -> None:
    # Ids 0 to 255 are bytes: "a", "\u00e9" (two bytes), "b".
    pieces = [bytes([byte]) for byte in range(256)]
    found = ByteLevel(pieces, special=np.zeros(256, dtype=np.bool_))
    ids = list("a\u00e9b".encode())
    assert found.within("a\u00e9b", ids, [(1, 2)]) == [False, True, True, False]
    assert found.within("a\u00e9b", ids, [(0, 1), (2, 3)]) == [True, False, False, True]
    assert found.within("a\u00e9b", ids, [(0, 0), (2, 2), (3, 3)]) == [False] * 4
    assert found.within("a\u00e9c", ids, [(0, 1)]) is None  # as many bytes, but others
    assert found.within("", [], []) == []


def test_tokens_that_are_not_the_text_s_bytes_are_not_told() -> None:
    swallowing = tokenizer_of(swallows=True)
    _, found = bytes_of(swallowing)
    text = "<|user|>  a"  # the special token takes the blanks: 8 and 1 of 11 bytes
    ids = swallowing(text, add_special_tokens=False)["input_ids"]
    assert found is not None
    assert found.within(text, ids, [(0, 1)]) is None

    composing = tokenizer_of(composed=True)
    _, found = bytes_of(composing)
    ids = composing("e\u0301", add_special_tokens=False)["input_ids"]  # one letter, two bytes
    assert found is not None
    assert found.within("e\u0301", ids, [(0, 1)]) is None
    assert found.within("\u00e9", ids, [(0, 1)]) == [True] * len(ids)
    # One letter of 3 bytes that becomes two of 3 each, and three of 3 bytes that become one of 2.
    even = "\u0958" + "e\u0301" * 3
    ids = composing(even, add_special_tokens=False)["input_ids"]
    assert found.within(even, ids, [(0, 1)]) is None


@pytest.mark.parametrize(
    "splitter",
    [
        None,
        pre_tokenizers.Metaspace(),
        pre_tokenizers.ByteLevel(add_prefix_space=True),
        pre_tokenizers.Sequence([pre_tokenizers.Whitespace()]),
    ],
)
def test_a_tokenizer_that_puts_something_before_the_bytes_is_of_another_kind(splitter: Any) -> None:
    tokenizer = tokenizer_of()
    core = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    state = SpecialTokens(tokenizer).state
    special = np.zeros(400, dtype=np.bool_)
    assert byte_level(core, state, special=special) is not None
    if splitter is None:
        state = {**state, "pre_tokenizer": None}
    else:
        core.pre_tokenizer = splitter
        state = SpecialTokens(PreTrainedTokenizerFast(tokenizer_object=core)).state
    assert byte_level(core, state, special=special) is None


def test_an_added_token_that_is_also_a_letter_of_the_bytes_is_not_taken_for_them() -> None:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tokenizer_of(swallows=True).backend_tokenizer.to_str()),
        eos_token="<|end|>",
    )
    tokenizer.add_tokens(["\u00e9"])  # the letter of byte E9, and so its id
    tokenizer.add_tokens(["\u8a9e"])  # no letter of a byte
    specials, found = bytes_of(tokenizer)
    # U+9AD8 begins with byte E9, and would be a byte longer; the special token took a blank along.
    text = "<|user|> \u9ad8<|end|>b"
    [(ids, slow)] = specials.encode([text], spans=[[(17, 18)]])
    assert found is not None
    assert found.within(text, ids, [(17, 18)]) is None
    assert slow == [False] * (len(ids) - 1) + [True]
    ids = tokenizer("a\u8a9eb", add_special_tokens=False)["input_ids"]
    assert found.within("a\u8a9eb", ids, [(1, 2)]) == [False, True, False]


def test_a_tokenizer_that_mostly_leaves_bytes_out_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    specials = SpecialTokens(tokenizer_of(swallows=True))
    texts = ["<|user|> a", "<|user|>b"] * 40
    asked: list[int] = []
    within = ByteLevel.within

    def counted(self: ByteLevel, *args: Any) -> list[bool] | None:
        asked.append(1)
        return within(self, *args)

    monkeypatch.setattr(ByteLevel, "within", counted)
    specials.encode(texts, spans=[[(8, 9)]] * 80)  # half of them
    specials.encode(texts[::2], spans=[[(8, 9)]] * 40)  # all
    assert len(asked) == 120
    assert specials.encode(texts[:1], spans=[[(9, 10)]])[0][1] == [False, True]
    assert len(asked) == 120


def test_ids_may_leave_gaps() -> None:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: at for at, piece in enumerate(alphabet)} | {"<|end|>": 9_000, "ab": 9_999}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[("a", "b")]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.add_special_tokens(["<|end|>"])
    specials = SpecialTokens(PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|end|>"))
    [(ids, learned)] = specials.encode(["abc<|end|>"], spans=[[(2, 10)]])
    assert ids == [9_999, vocabulary["c"], 9_000]
    assert learned == [False, True, True]
