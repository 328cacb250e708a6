"""Sections that several manuals have in common are taught once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ftdist.config.compose import compose_curation
from ftdist.library.dedup.sections import SectionSignatures, drop_sections, long_sections
from ftdist.library.pipeline import curate
from ftdist.library.schema import Block, Document, Location
from ftdist.library.store.dataset import open_curated
from ftdist.library.store.samples import read_samples

pytestmark = pytest.mark.timeout(120)


def _words(count: int, *, of: str) -> str:
    """So many different words without digits."""
    letters = "abcdefghij"
    places = ((n // 100, n // 10 % 10, n % 10) for n in range(count))
    return " ".join(of + "".join(letters[at] for at in place) for place in places)


LICENCE = _words(60, of="grant")


def _manual(path: Path, title: str, **sections: str) -> None:
    text = "".join(f"## {heading}\n\n{said}\n\n" for heading, said in sections.items())
    path.write_text(f"# {title}\n\nThis is the manual of the {title}.\n\n{text}")


def _curate(tmp_path: Path, names: Sequence[str], *more: str, processes: int = 1) -> Path:
    listed = ",".join(f"'{tmp_path / name}'" for name in names)
    config = compose_curation(
        [
            "library.name=w",
            f"library.root={tmp_path / f'libraries-{processes}'}",
            f"library.sources=[{listed}]",
            f"work.cache_dir={tmp_path / f'cache-{processes}'}",
            f"work.num_proc={processes}",
            *more,
        ]
    )
    return curate(config, model=None, log=lambda _: None).folder


def _manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def _rules(folder: Path) -> dict[str, Any]:
    rules = _manifest(folder)["rules"].items()
    return {name: rule for name, rule in rules if name.endswith("section")}


def _taught(folder: Path) -> list[str]:
    return [
        sample.text
        for source in open_curated(folder).sources
        for sample in read_samples(source.train)
        if sample.made_by == "passage"
    ]


def test_a_section_repeated_in_a_later_manual_is_trained_once(
    tmp_path: Path,
) -> None:
    _manual(tmp_path / "a.md", "crane", Lifting=_words(80, of="hook"), Licence=LICENCE)
    _manual(tmp_path / "b.md", "pump", Flow=_words(80, of="valve"), Licence=LICENCE)
    folder = _curate(tmp_path, ["a.md", "b.md"])
    assert sum(LICENCE in text for text in _taught(folder)) == 1
    assert sum(_words(80, of="valve") in text for text in _taught(folder)) == 1
    assert list(_rules(folder)) == ["exact duplicate section"]
    rule = _rules(folder)["exact duplicate section"]
    assert rule["count"] == 1
    (victim,) = rule["examples"]
    assert (victim["location"], victim["kept"]) == ("b: b.md", "a: a.md")
    assert victim["excerpt"].startswith("Licence: grantaaa grantaab")
    assert "exact duplicate section" in (folder / "index.html").read_text()


def test_similar_sections_are_dropped_unless_a_fact_differs(tmp_path: Path) -> None:
    torque = _words(99, of="bolt")
    # 100 words and a heading of one are 97 runs of five; "now" adds two to the last of them.
    # So 96 of 99 are shared, 0.97.
    for name, last in (("a", "12"), ("b", "now 12"), ("c", "15 Nm")):
        _manual(tmp_path / f"{name}.md", name, **{"Torque": f"{torque} {last}", name: name})
    folder = _curate(tmp_path, ["a.md", "b.md", "c.md"], "clean.dedup=false")
    rule = _rules(folder)["near duplicate section"]
    assert rule["count"] == 1
    assert (rule["examples"][0]["location"], rule["examples"][0]["kept"]) == ("b: b.md", "a: a.md")
    assert rule["examples"][0]["similarity"] == pytest.approx(0.97, abs=0.05)
    assert sum(torque in text for text in _taught(folder)) == 2


def test_sections_of_a_dropped_manual_drop_no_other_section(tmp_path: Path) -> None:
    more = _words(60, of="new")
    _manual(tmp_path / "a.md", "crane", Old=_words(200, of="old"))
    _manual(tmp_path / "b.md", "crane", Old=f"{_words(199, of='old')} end", New=more)
    _manual(tmp_path / "c.md", "pump", New=more, Flow=_words(200, of="valve"))
    # About 200 of 262 runs of words are shared by a and b, 0.76, and none by c and a.
    folder = _curate(tmp_path, ["a.md", "b.md", "c.md"], "clean.dedup_threshold=0.5")
    assert _manifest(folder)["rules"]["near duplicate"]["examples"][0]["location"] == "b: b.md"
    assert not _rules(folder)
    assert sum(more in text for text in _taught(folder)) == 1


def test_section_dedup_ignores_num_proc_and_can_be_disabled(
    tmp_path: Path,
) -> None:
    for name in "abcd":
        _manual(tmp_path / f"{name}.md", name, Own=_words(70, of=name), Licence=LICENCE)
    names = [f"{name}.md" for name in "abcd"]
    one, three = (_curate(tmp_path, names, processes=number) for number in (1, 3))
    assert _rules(one)["exact duplicate section"]["count"] == 3
    for file in sorted((one / "data").iterdir()):
        assert file.read_bytes() == (three / "data" / file.name).read_bytes(), file.name
    assert _rules(one) == _rules(three)
    assert not _rules(_curate(tmp_path, names, "clean.dedup_sections=false"))


def test_a_section_shared_by_held_out_and_trained_manuals_is_trained(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    for number in range(24):
        name = f"m{'abcdefghij'[number // 10]}{'abcdefghij'[number % 10]}"
        _manual(tmp_path / "all" / f"{name}.md", name, Own=_words(70, of=name), Licence=LICENCE)
    folder = _curate(
        tmp_path,
        ["all"],
        "split.held_out_documents=0.5",
        "clean.remove_boilerplate=false",
        processes=1,
    )
    assert _rules(folder)["exact duplicate section"]["count"] == 23
    assert sum(LICENCE in text for text in _taught(folder)) == 1


def test_short_sections_and_text_before_the_first_heading_are_not_compared() -> None:
    def blocks(*said: tuple[str, str]) -> tuple[Block, ...]:
        return tuple(
            Block(kind="heading", text=text, level=1)
            if kind == "h"
            else Block(kind="paragraph", text=text)
            for kind, text in said
        )

    long, short = _words(50, of="w"), _words(49, of="w")
    document = Document(
        title="t",
        blocks=blocks(("p", long), ("h", "1 Use"), ("p", long), ("h", "2 Care"), ("p", short)),
        location=Location("f"),
    )
    assert list(long_sections(document)) == [(1, f"Use\n{long}")]
    assert SectionSignatures.from_rows([document, document]).indices.tolist() == [[0, 1], [1, 1]]
    left = drop_sections(document, {1})
    assert [block.text for block in left.blocks] == [long, "1 Use", "2 Care", short]
