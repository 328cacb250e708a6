"""Which tokens belong to a span of characters."""

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ftdist.data.special_tokens import SpecialTokens

SPECIALS = ("<|user|>", "<|end|>")


def bytes_tokenizer(*, swallows: bool = False) -> PreTrainedTokenizerFast:
    """One token per UTF-8 byte; `swallows`: special tokens take the blanks that follow them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.add_special_tokens(
        [AddedToken(name, special=True, normalized=False, rstrip=swallows) for name in SPECIALS]
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|end|>")


def within(tokenizer: PreTrainedTokenizerFast, text: str, *spans: tuple[int, int]) -> list[bool]:
    cuts = sorted(border for span in spans for border in span)
    [(encoded, moved)] = SpecialTokens(tokenizer).encode([text], cuts=[cuts])
    assert moved == cuts
    return [bool(inside) for inside in encoded.within(list(spans))]


def test_every_byte_of_a_character_belongs_to_its_span() -> None:
    tokenizer = bytes_tokenizer()
    assert within(tokenizer, "a\u00e9b", (1, 2)) == [False, True, True, False]
    assert within(tokenizer, "a\u00e9b", (0, 1), (2, 3)) == [True, False, False, True]
    assert within(tokenizer, "") == []


def test_a_special_token_that_strips_whitespace_is_outside_the_span() -> None:
    tokenizer = bytes_tokenizer(swallows=True)
    assert within(tokenizer, "<|user|> a", (8, 10)) == [False, True]
    assert within(tokenizer, "<|user|> a", (9, 10)) == [False, True]
    assert within(tokenizer, "<|user|> a", (0, 8)) == [True, False]


def test_non_special_added_tokens_belong_to_the_text() -> None:
    tokenizer = bytes_tokenizer(swallows=True)
    tokenizer.add_tokens(["\u00e9", "\u8a9e"])
    # U+9AD8 has three bytes; the special token takes the blank before it.
    assert within(tokenizer, "<|user|> \u9ad8<|end|>b", (17, 18)) == [False] * 5 + [True]
    assert within(tokenizer, "a\u8a9eb", (1, 2)) == [False, True, False]


def test_texts_with_and_without_escapes_are_encoded_together_in_order() -> None:
    special_tokens = SpecialTokens(bytes_tokenizer())
    typed = special_tokens.escape("<|end|>")
    results = special_tokens.encode(
        ["a<|end|>", f"{typed}<|end|>", "b<|end|>"], cuts=[[0, 8], [0, len(typed)], [1, 8]]
    )
    assert [len(encoded.ids) for encoded, _ in results] == [2, 8, 2]  # typed: seven bytes
    inside = [encoded.within([(first, end)]).tolist() for encoded, (first, end) in results]
    assert inside == [[True] * 2, [True] * 7 + [False], [False, True]]


def test_ids_may_leave_gaps() -> None:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: i for i, piece in enumerate(alphabet)} | {"<|end|>": 9_000, "ab": 9_999}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[("a", "b")]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.add_special_tokens(["<|end|>"])
    specials = SpecialTokens(PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|end|>"))
    [(encoded, _)] = specials.encode(["abc<|end|>"], cuts=[[]])
    assert encoded.ids == [9_999, vocabulary["c"], 9_000]
    assert encoded.special.tolist() == [False, False, True]
