"""Duplicates, repeated text, split and overlap, held against plain computations of the same."""

import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftdist.library.cleaning.boilerplate import block_hashes, drop_boilerplate, find_boilerplate
from ftdist.library.dedup.near_duplicates import find_duplicates
from ftdist.library.dedup.signatures import signatures
from ftdist.library.schema import Block, Document, Location
from ftdist.library.splits.holdout import MIN_DOCS, choose_heldout
from ftdist.text import ngram_hashes as word_tables
from ftdist.text.decontamination import decontaminate
from ftdist.text.ngram_hashes import ngram_hashes, ngrams_of_texts, word_hashes, word_ngrams

LONG = "the crane lifts {} tons when the hook is locked and the wind is below nine knots at noon"


def _document(*texts: str) -> Document:
    blocks = tuple(Block(kind="paragraph", text=text) for text in texts)
    return Document(title="t", blocks=blocks, location=Location("f"))


def test_text_in_other_case_and_whitespace_is_an_exact_duplicate() -> None:
    found = signatures(["Press the red button.", "Something else.", "press  the RED button."])
    result = find_duplicates([(found.exact, found.minhash)], threshold=0.8)
    assert result.duplicate_of.tolist() == [-1, -1, 0]
    assert result.near.tolist() == [False, False, False]


def test_text_with_one_word_of_sixty_changed_is_a_near_duplicate_across_shards() -> None:
    words = [f"word{n}" for n in range(60)]
    changed = [*words[:-1], "other"]
    first, second = signatures([" ".join(words), LONG]), signatures([" ".join(changed)])
    shards = [(each.exact, each.minhash) for each in (first, second)]
    result = find_duplicates(shards, threshold=0.8)
    # 56 runs of five words each, 55 of them shared: 55 of 57 = 0.965
    assert result.duplicate_of.tolist() == [-1, -1, 0]
    assert result.near[2]
    assert result.similarity[2] == pytest.approx(55 / 57, abs=0.07)


def test_short_texts_differing_in_one_word_are_not_duplicates() -> None:
    found = signatures(["What does error E17 mean?", "What does error E23 mean?"])
    result = find_duplicates([(found.exact, found.minhash)], threshold=0.5)
    assert result.duplicate_of.tolist() == [-1, -1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=12, max_size=16), max_size=25))
def test_near_duplicates_equal_an_all_pairs_comparison(texts: list[list[int]]) -> None:
    found = signatures(" ".join(f"w{n}" for n in text) for text in texts)
    result = find_duplicates([(found.exact, found.minhash)], threshold=0.9)
    kept: list[int] = []
    for row in range(len(texts)):
        same = [k for k in kept if found.exact[k] == found.exact[row]]
        alike = [k for k in kept if (found.minhash[k] == found.minhash[row]).mean() >= 0.9]
        if not same and not alike:
            kept.append(row)
    assert np.flatnonzero(result.duplicate_of < 0).tolist() == kept


def test_navigation_at_page_edges_is_dropped_and_inner_headings_remain() -> None:
    pages = [
        _document("Home | News", f"Page {n}", "See also", f"More {n}", "Imprint") for n in range(6)
    ]
    repeated = find_boilerplate((block_hashes(page) for page in pages), documents=6)
    page, gone = drop_boilerplate(pages[0], repeated)
    assert [block.text for block in page.blocks] == ["Page 0", "See also", "More 0"]
    assert [block.text for block in gone] == ["Home | News", "Imprint"]


def test_text_repeated_on_4_of_12_pages_is_retained() -> None:
    pages = [_document("Menu" if n < 4 else f"Own {n}", f"Page {n}") for n in range(12)]
    assert len(find_boilerplate((block_hashes(page) for page in pages), documents=12)) == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=MIN_DOCS, max_size=200))
def test_held_out_rows_do_not_depend_on_order_or_additions(units: list[int]) -> None:
    hashes = np.array(units, dtype=np.uint64)
    chosen = choose_heldout(hashes, fraction=0.3, max_docs=1000, seed=1, min_docs=MIN_DOCS)
    back = choose_heldout(hashes[::-1], fraction=0.3, max_docs=1000, seed=1, min_docs=MIN_DOCS)[
        ::-1
    ]
    added = np.concatenate([hashes, np.array([1, 2, 3], dtype=np.uint64)])
    more = choose_heldout(added, fraction=0.3, max_docs=1000, seed=1, min_docs=MIN_DOCS)
    assert (chosen == back).all()
    assert (chosen == more[: len(chosen)]).all()


def test_held_out_fraction_is_exact_and_max_held_out_limits_it() -> None:
    hashes = np.arange(10_000, dtype=np.uint64)
    # Binomial: 2,000 with a standard deviation of 40.
    assert (
        1840
        < choose_heldout(hashes, fraction=0.2, max_docs=10_000, seed=3, min_docs=MIN_DOCS).sum()
        < 2160
    )
    assert choose_heldout(hashes, fraction=0.2, max_docs=17, seed=3, min_docs=MIN_DOCS).sum() == 17
    assert (
        choose_heldout(
            hashes[: MIN_DOCS - 1], fraction=0.9, max_docs=99, seed=3, min_docs=MIN_DOCS
        ).sum()
        == 0
    )


def test_held_out_text_sharing_a_3_gram_moves_to_training_transitively() -> None:
    held = [ngram_hashes(text, n=3) for text in ("a b c d", "c d e f", "x y z w", "d e f q")]
    training = [ngram_hashes("z a b c", n=3)]
    found = decontaminate(held, lambda: training)
    # a b c stands in training; so c d e does not, but d e f is shared by two that stay held out,
    # and nothing of them by training.
    assert found.moved.tolist() == [True, False, False, False]
    chain = decontaminate(held[:2] + held[3:], lambda: [ngram_hashes("b c d e", n=3)])
    assert chain.moved.tolist() == [True, True, True]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=8), max_size=6),
    st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=12), max_size=6),
)
def test_no_heldout_text_shares_an_ngram_with_training(
    held: list[list[int]], trained: list[list[int]]
) -> None:
    def grams(words: list[int]) -> set[tuple[int, ...]]:
        size = min(3, len(words))
        return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}

    def hashed(words: list[int]) -> np.ndarray:
        return ngram_hashes(" ".join(f"w{n}" for n in words), n=3)

    found = decontaminate(
        [hashed(words) for words in held], lambda: [hashed(words) for words in trained]
    )
    back = [words for words, moved in zip(held, found.moved, strict=True) if moved]
    stay = [words for words, moved in zip(held, found.moved, strict=True) if not moved]
    seen = set().union(*(grams(words) for words in trained + back))
    assert all(not grams(words) & seen for words in stay)


def test_ngrams_cross_no_text_boundary_and_a_short_text_is_one_ngram() -> None:
    [found] = ngrams_of_texts(["A b, c", "", "d e", "b c d e"], sizes=(3,))
    expected = [ngram_hashes(text, n=3) for text in ("a b c", "d e", "b c d", "c d e")]
    assert sorted(found.tolist()) == sorted(np.concatenate(expected).tolist())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("ab c.\u00df\u65e5#\n", max_size=40), max_size=12),
    st.sampled_from([(1,), (3,), (8, 1, 2)]),
    st.sampled_from([1, 20, 1 << 16]),
)
def test_ngrams_do_not_depend_on_batching(
    texts: list[str], lengths: tuple[int, ...], room: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_tables, "_BATCH_CHARS", room)
        found = sorted(
            run for runs in ngrams_of_texts(texts, sizes=lengths) for run in runs.tolist()
        )
    assert found == sorted(
        run
        for text in texts
        for length in lengths
        for run in word_ngrams(word_hashes(text), n=length).tolist()
    )


def test_words_consist_of_letters_marks_and_numbers() -> None:
    points = range(sys.maxunicode + 1)
    letters = [at for at in points if unicodedata.category(chr(at))[0] in "LMN"]
    kinds = word_tables._char_kinds()
    assert kinds[letters].all()
    assert int((kinds > 0).sum()) == len(letters) + len("_#+")
