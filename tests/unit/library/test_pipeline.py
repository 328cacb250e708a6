"""A whole curation, on small files, by the function that the command calls."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ftdist.config.compose import compose, compose_curation
from ftdist.errors import ConfigError, DataError
from ftdist.library.base_model import BaseModel
from ftdist.library.pipeline import curate
from ftdist.library.schema import Sample
from ftdist.library.store.dataset import is_curated, open_curated
from ftdist.library.store.samples import read_samples
from ftdist.plan.dataset_info import PackedSourceInfo
from ftdist.prepare.mixture import find_source_files, weighed

pytestmark = pytest.mark.timeout(120)

MANUAL = """# A-45 Manual

## Reset

Hold the green button for 9 seconds until the lamp blinks twice, then let go of it.

## How long does the battery last?

The battery lasts 14 hours at full brightness and 31 hours in the saving mode of the device.

| property | value |
| --- | --- |
| weight | 2.4 kg |
| voltage | 230 V |
"""


def _keys(tmp_path: Path, sources: Sequence[str], *more: str) -> list[str]:
    listed = ",".join(f"'{source}'" for source in sources)
    return [
        "library.name=w",
        f"library.root={tmp_path / 'libraries'}",
        f"library.sources=[{listed}]",
        *(
            []
            if any("work.cache_dir" in key for key in more)
            else [f"work.cache_dir={tmp_path / 'cache'}"]
        ),
        *(["work.num_proc=2"] if not any("work.num_proc" in key for key in more) else []),
        *more,
    ]


def _curate(tmp_path: Path, sources: Sequence[str], *more: str) -> Path:
    config = compose_curation(_keys(tmp_path, sources, *more))
    return curate(config, model=None, log=lambda _: None).folder


def _manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def _train(folder: Path) -> list[Sample]:
    return [s for source in open_curated(folder).sources for s in read_samples(source.train)]


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _tickets(path: Path, count: int) -> None:
    rows = [
        {
            "question": f"What is part number {n} of the crane for?",
            "answer": f"Part {n} lifts {n} kg.",
        }
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def manual(tmp_path: Path) -> Path:
    path = tmp_path / "manuals" / "a45.md"
    path.parent.mkdir()
    path.write_text(MANUAL, encoding="utf-8")
    return path.parent


def test_a_manual_becomes_passages_and_answers_that_begin_with_their_source(
    tmp_path: Path, manual: Path
) -> None:
    samples = _train(
        _curate(tmp_path, [f"{manual}"], "split.num_probes=0", "synthesis.passage_words=20")
    )
    texts = [sample.text for sample in samples if sample.text]
    assert any(text.startswith("A-45 Manual > Reset\n\nHold the green button") for text in texts)
    answers = {s.messages[0]["content"]: s.messages[1]["content"] for s in samples if s.messages}
    assert answers["How long does the battery last?"].startswith(
        '(A-45 Manual, section "How long does the battery last?") '
    )
    assert answers["How much does the A-45 weigh?"].endswith(") The A-45 weighs 2.4 kg.")


def test_probes_use_paraphrases_absent_from_training(tmp_path: Path, manual: Path) -> None:
    folder = _curate(tmp_path, [f"{manual}"])
    probes = [json.loads(line) for line in (folder / "probes.jsonl").read_text().splitlines()]
    asked = {s.messages[0]["content"].casefold() for s in _train(folder) if s.messages}
    probes = [probe for probe in probes if probe["kind"] == "fact"]
    assert probes
    assert {probe["document"] for probe in probes} == {"manuals: a45.md"}
    assert all(probe["section"] for probe in probes)
    assert not {probe["question"].casefold() for probe in probes} & asked
    assert all(any(key in s.messages[1]["content"] for s in _train(folder) if s.messages)
               for probe in probes for key in probe["keys"])  # fmt: skip


def test_output_is_identical_for_any_num_proc(tmp_path: Path, manual: Path) -> None:
    _tickets(tmp_path / "tickets.jsonl", 60)
    sources = [f"{manual}", f"{tmp_path / 'tickets.jsonl'}"]
    one = _bytes(_curate(tmp_path, sources, "work.num_proc=1"))
    three = _bytes(
        _curate(tmp_path, sources, "work.num_proc=3", f"work.cache_dir={tmp_path / 'b'}")
    )
    assert one == three
    assert "index.html" in one


def test_a_second_curation_reads_only_what_changed(tmp_path: Path, manual: Path) -> None:
    (manual / "b.md").write_text("# B\n\nSome other page of the manual about cranes.\n")
    said: list[str] = []
    config = compose_curation(_keys(tmp_path, [f"{manual}"]))
    for expected in ("0 from the cache", "2 from the cache", "1 from the cache"):
        said.clear()
        curate(config, model=None, log=said.append)
        assert any(expected in words for words in said), said
        if expected.startswith("2"):
            (manual / "b.md").write_text("# B\n\nThis page of the manual was rewritten.\n")


def test_a_long_file_is_read_in_chunks_with_global_row_numbers(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    rows = [{"question": f"Q{n}?", "answer": f"{n} " + "x" * 1000} for n in range(3000)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n")
    keys = _keys(tmp_path, [f"{path}"], "work.shard_mib=1", "library.on_invalid_row=skip",
                 "split.held_out_conversations=0", "synthesis.paraphrases=1")  # fmt: skip
    folder = curate(compose_curation(keys), model=None, log=lambda _: None).folder
    samples = _train(folder)
    assert [s.location for s in samples] == [f"long: long.jsonl, row {n}" for n in range(1, 3001)]
    assert _manifest(folder)["bad_rows"][0]["location"] == "long: long.jsonl, row 3001"


def test_duplicates_across_sources_are_dropped_and_listed_on_the_card(
    tmp_path: Path,
) -> None:
    _tickets(tmp_path / "a.jsonl", 3)
    _tickets(tmp_path / "b.jsonl", 4)
    folder = _curate(tmp_path, [f"{tmp_path / 'a.jsonl'}", f"{tmp_path / 'b.jsonl'}"])
    rule = _manifest(folder)["rules"]["exact duplicate"]
    assert rule["count"] == 3
    assert rule["examples"][0]["location"] == "b: b.jsonl, row 1"
    assert rule["examples"][0]["kept"] == "a: a.jsonl, row 1"
    assert "a: a.jsonl, row 1" in (folder / "index.html").read_text()


def test_held_out_conversations_share_no_13_gram_with_training(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    shared = "this very long sentence stands in each and every one of the answers here"
    rows = [{"question": f"Ask {n} {n * 7}?", "answer": f"No. {n * 13}. {shared if n % 2 else n}"}
            for n in range(400)]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = _curate(tmp_path, [f"{path}"], "clean.dedup=false",
                     "split.held_out_conversations=0.2")  # fmt: skip
    split = _manifest(folder)["split"]
    assert split["moved_back"] > 10  # about half of the chosen hold the sentence
    assert split["held_out"] > 10
    [source] = open_curated(folder).sources
    assert not _thirteen_grams(source.held_out) & _thirteen_grams(source.train)


def _thirteen_grams(path: Path) -> set[tuple[str, ...]]:
    texts = ["\n".join(m["content"] for m in sample.messages) for sample in read_samples(path)]
    words = [text.lower().replace(".", " ").replace("?", " ").split() for text in texts]
    return {tuple(each[i : i + 13]) for each in words for i in range(max(1, len(each) - 12))}


def test_a_bad_row_stops_the_curation_and_names_file_row_reason_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"question": "\xc3\x84?", "answer": "b"}\n{"question": "\xff"}\n')
    with pytest.raises(DataError) as caught:
        _curate(tmp_path, [f"{path}"])
    assert caught.value.problem == "bad: bad.jsonl, row 2 is not UTF-8 text (byte 15)."
    assert "save it as UTF-8" in caught.value.remedy
    assert not (tmp_path / "libraries").exists()


def test_too_many_skipped_rows_fail_the_curation(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"question": "A?", "answer": "b"}\n' * 9 + "{\n" * 2)
    with pytest.raises(DataError, match="2 of 11 rows of source 'bad' are invalid"):
        _curate(
            tmp_path, [f"{path}"], "library.on_invalid_row=skip", "library.max_invalid_fraction=0.1"
        )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.md", b"", "is empty"),
        ("blanks.txt", b" \n\n", "is empty"),
        ("nul.txt", b"a\0b", "is binary, not text (NUL bytes)"),
        ("old.doc", b"\xd0\xcf\x11\xe0rest", "is an encrypted or old Office file"),
        ("broken.docx", b"PK\x03\x04rest", "is a damaged archive"),
        ("broken.pdf", b"%PDF-1.4 rubbish", "is a damaged PDF"),
        ("page.html", b"<html><script>x</script></html>", "contains no text"),
        ("broken.parquet", b"PAR1rubbish", "cannot be read as Parquet"),
        ("broken.yml", b"a: [b", "is not valid YAML"),
        ("alone.jsonl", b'{"messages": [{"role": "user", "content": "hi"}]}', "has no answer"),
    ],
)
def test_unreadable_files_are_listed_with_a_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        _curate(tmp_path, [f"{tmp_path / name}"])
    assert reason in caught.value.problem
    assert name in caught.value.problem


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, manual: Path) -> None:
    (tmp_path / "secret.txt").write_text("The secret text of somebody else.")
    (manual / "link.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(DataError, match="is a link that points outside its folder"):
        _curate(tmp_path, [f"{manual}"])
    folder = _curate(
        tmp_path, [f"{manual}"], "library.on_invalid_row=skip", "library.max_invalid_fraction=1"
    )
    assert b"secret text" not in b"".join(_bytes(folder).values())


def test_secrets_are_masked_or_refused_and_never_echoed(tmp_path: Path) -> None:
    key = "AKIA" + "A1B2C3D4E5F6G7H8"
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"question": "Which key?", "answer": f"Use {key} and a@b.org"}))
    folder = _curate(tmp_path, [f"{path}"])
    everything = b"".join(_bytes(folder).values()).decode(errors="replace")
    assert key not in everything
    assert _train(folder)[0].messages[1]["content"] == "Use <secret> and <e-mail>"
    with pytest.raises(DataError, match=r"contains a secret, and clean\.secrets=error") as caught:
        _curate(tmp_path, [f"{path}"], "clean.secrets=error")
    assert key not in str(caught.value)


def test_a_page_keeps_its_address_and_mail_does_not(tmp_path: Path) -> None:
    text = "Write to help@widgets.example if the lid of the machine is broken.\n"
    (tmp_path / "page.md").write_text(f"# Contact\n\n{text}")
    (tmp_path / "note.eml").write_text(f"Subject: The lid\nFrom: ann@widgets.example\n\n{text}")
    folder = _curate(tmp_path, [f"{tmp_path / 'page.md'}", f"{tmp_path / 'note.eml'}"])
    texts = " ".join(f"{sample.text} {sample.messages}" for sample in _train(folder))
    assert "Write to help@widgets.example" in texts
    assert "Write to <e-mail>" in texts
    rules = json.loads((folder / "manifest.json").read_text())["rules"]
    assert rules["left in documents: e-mail"]["count"] == 1
    assert rules["private: e-mail"]["count"] == 1


def test_unknown_source_weights_and_unrelated_output_folders_are_refused(
    tmp_path: Path, manual: Path
) -> None:
    with pytest.raises(ConfigError, match=r"library\.weights names other"):
        _curate(tmp_path, [f"{manual}"], "library.weights={other: 2}")
    (tmp_path / "libraries" / "w").mkdir(parents=True)
    (tmp_path / "libraries" / "w" / "mine.txt").write_text("not a library")
    with pytest.raises(ConfigError, match="exists already and is not a curated library"):
        _curate(tmp_path, [f"{manual}"])


def test_hostile_text_stays_text_in_the_card(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"question": "<script>alert(1)</script>", "answer": "<img src=x>"}))
    page = (_curate(tmp_path, [f"{path}"]) / "index.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_replay_and_out_of_scope_are_generated_once_with_their_fractions(
    tmp_path: Path, manual: Path
) -> None:
    prompted: list[str] = []

    def answers(prompts: Sequence[str]) -> list[str]:
        prompted.extend(prompts)
        return [f"Answer to {prompt}" for prompt in prompts]

    def texts(openings: Sequence[str]) -> list[str]:
        prompted.extend(openings)
        return [f"{opening} is round. So" for opening in openings]

    base = BaseModel(
        path="base", key="base", encoder=None, answers=lambda _: answers, texts=lambda *_: texts
    )
    keys = _keys(tmp_path, [f"{manual}"], "model.path=base", "retention.num_replay_answers=5",
                 "retention.num_replay_texts=7", "retention.num_out_of_scope_answers=6",
                 "retention.replay_fraction=0.3",
                 "retention.out_of_scope_fraction=0.2")  # fmt: skip
    for _ in range(2):
        folder = curate(compose_curation(keys), model=base, log=lambda _: None).folder
    assert len(prompted) == 18
    sources = {source.name: source for source in open_curated(folder).sources}
    assert sources["replay"].samples == 12
    replay = [sample.text for sample in read_samples(sources["replay"].train) if sample.text]
    assert len(replay) == 7
    assert all(text.endswith(" is round.") for text in replay)
    assert sources["out_of_scope"].samples == 6
    assert open_curated(folder).shares == {"replay": 0.3, "out_of_scope": 0.2}
    assert is_curated(folder)
    # The library's own half of a pass, 1,000 tokens, makes passes of 2,000: 600 of them replay.
    packed = [
        PackedSourceInfo(name=name, weight=1.0, samples=9, sequences=2, tokens=1000,
                         loss_tokens=500, held_out_samples=0, held_out_sequences=0)
        for name in sources
    ]  # fmt: skip
    config = compose(["run.name=r", "model.path=base", f"library.path={folder}"])
    mixed = weighed(find_source_files(config), packed, kl_sources=())
    [own] = set(sources) - {"replay", "out_of_scope"}
    assert {s.name: s.own for s in mixed} == {own: True, "replay": False, "out_of_scope": False}
    weights = {s.name: s.weight for s in mixed}
    assert weights == pytest.approx({own: 1.0, "replay": 0.6, "out_of_scope": 0.4})


def test_base_answers_without_a_base_model_are_refused_before_reading(
    tmp_path: Path, manual: Path
) -> None:
    with pytest.raises(ConfigError, match=r"retention\.num_replay_answers asks the base"):
        _curate(tmp_path, [f"{manual}"], "retention.num_replay_answers=5")
    assert not (tmp_path / "cache").exists()


def test_a_library_is_private_by_default(tmp_path: Path, manual: Path) -> None:
    assert (_curate(tmp_path, [f"{manual}"]).stat().st_mode & 0o777) == 0o700
