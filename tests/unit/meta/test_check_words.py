"""The word check finds banned words, and only those."""

from pathlib import Path

import pytest

from tools.check_words import WORDS, Words, check_code, check_config, check_tree, find_phrases

LIST = Words(
    identifiers={"told": "message", "*_told": "message", "MOST_*": "MAX_*", "kept": "keep_mask"},
    phrases={"is told": "name who reports what", "anew": "again"},
    modules=frozenset({"sift"}),
    allowed={"kept": ["ftdist/io/"]},
)


def lines_of(source: str, *, file: str = "ftdist/rows.py") -> list[tuple[int, str]]:
    return [(found.line, found.word) for found in check_code(source, file=file, words=LIST)]


def test_banned_identifiers_are_found_with_their_line_also_behind_an_underscore() -> None:
    source = "told = 1\nMOST_ROWS = 2\n\ndef _run_told() -> None:\n    _told = told\n"
    assert lines_of(source) == [
        (1, "told"),
        (2, "MOST_ROWS"),
        (4, "_run_told"),
        (5, "_told"),
        (5, "told"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "untold = 1",
        "toldness = 1",
        "ALMOST_ALL = 1",
        "# what the user told us\nmessage = 1",
        "message = 'told'",
        "result = library.ask(told=True)  # words: ok",
        "renewed = 'x'\ntext = 'a new folder, renew'",
    ],
)
def test_other_words_comments_and_exempt_lines_are_not_reported(source: str) -> None:
    assert lines_of(source) == []


def test_a_word_may_be_allowed_below_a_path() -> None:
    assert lines_of("kept = 1", file="ftdist/io/rows.py") == []
    assert lines_of("kept = 1", file="ftdist/text/rows.py") == [(1, "kept")]


def test_phrases_are_found_in_docstrings_and_messages_over_line_breaks() -> None:
    source = '"""A module.\n\nThe user is\ntold.\n"""\nMESSAGE = f"write {1} anew"\n'
    assert lines_of(source) == [(3, "is told"), (6, "anew")]


def test_a_phrase_is_matched_by_whole_words() -> None:
    assert list(find_phrases("This told a renewed story.", file="x.md", words=LIST)) == []
    assert list(find_phrases("anewer", file="x.md", words=LIST)) == []


def test_opaque_module_names_are_found() -> None:
    assert lines_of("x = 1", file="ftdist/library/sift.py") == [(1, "sift")]


def test_keys_of_config_files_are_checked() -> None:
    text = "# A comment.\nmodel:\n  told: 1\n"
    found = list(check_config(text, file="conf/a.yaml", words=LIST))
    assert [(one.line, one.word) for one in found] == [(3, "told")]


def test_a_whole_tree_is_checked_with_the_list_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / "ftdist").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("Nothing is wrong here.\n", encoding="utf-8")
    (tmp_path / "docs" / "page.md").write_text("# Title\n\nWritten anew.\n", encoding="utf-8")
    (tmp_path / "ftdist" / "fine.py").write_text('"""Fine."""\n\nMAX_ROWS = 1\n', encoding="utf-8")
    findings = [str(found) for found in check_tree(tmp_path, words=Words.from_file(WORDS))]
    assert findings == ["docs/page.md:3: 'anew' (write: again)"]
