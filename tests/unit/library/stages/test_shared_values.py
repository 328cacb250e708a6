"""Which values lead to a thing, over all documents of a library."""

from pathlib import Path

from ftdist.config.compose import compose_curation
from ftdist.library.pipeline import curate
from ftdist.library.store.dataset import open_curated
from ftdist.library.store.samples import read_samples

_PAGE = """# {name}

The {name} is a pump.

| Property | Value |
| --- | --- |
| Weight | {weight} |
| Price | {price} |

The {option} option disables all output of the log.
"""


def _asked(tmp_path: Path, pages: list[str]) -> set[str]:
    (tmp_path / "pages").mkdir()
    for number, page in enumerate(pages):
        (tmp_path / "pages" / f"{number}.md").write_text(page, encoding="utf-8")
    keys = [
        "library.name=pumps", f"library.root={tmp_path}", f"library.sources=[{tmp_path / 'pages'}]",
        f"work.cache_dir={tmp_path / 'cache'}", "work.num_proc=1", "clean.dedup=false",
        "split.num_probes=0",
    ]  # fmt: skip
    folder = curate(compose_curation(keys), model=None, log=lambda _: None).folder
    samples = [s for source in open_curated(folder).sources for s in read_samples(source.train)]
    return {sample.messages[0]["content"] for sample in samples if sample.messages}


def test_a_value_that_two_documents_tell_of_two_things_leads_to_neither(tmp_path: Path) -> None:
    asked = _asked(
        tmp_path,
        [
            _PAGE.format(name="Aquila 300", weight="4 kg", price="12 EUR", option="--all"),
            _PAGE.format(name="Aquila 900", weight="4 kg", price="34 EUR", option="--every"),
        ],
    )
    assert {"Which pump costs 12 EUR?", "Which pump costs 34 EUR?"} <= asked
    assert not [question for question in asked if "hich" in question and "4 kg" in question]
    which = "Which option disables all output of the log of the Aquila"
    assert {f"{which} 300?", f"{which} 900?"} <= asked
