"""Before a job: data paths on the Hub become commits, and their files are in the cache."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ftdist_launch.setup import resume
from ftdist_launch.setup.resolve_data import resolve_curation, resolve_eval, resolve_library
from ftdist_launch.setup.run_setup import resolve_paths
from huggingface_hub import constants

from ftdist.config.compose import compose, compose_curation
from ftdist.config.schema import RunConfig, SourceConfig
from ftdist.config.schema.data_source import SourceEntry
from ftdist.errors import ConfigError, DataError
from ftdist.evaluation.eval_set import read_eval_set
from ftdist.library.check_config import check_curation
from ftdist.library.readers.discovery import find_sources
from ftdist.library.sources.cached import cached_file
from ftdist.library.sources.reference import DataReference
from ftdist.prepare.data_files import find_files
from ftdist.rundir import RunDir
from tests.support.loopback_hub import loopback_hub

README = "---\nconfigs:\n- config_name: en\n  data_files: en.jsonl\n- config_name: de\n  " + (
    "data_files: de.jsonl\n---\n"
)
KEYS = ["run.name=r", "model.path=m", "library.path=org/faq", "library.subset=en"]


def _row(answer: str) -> str:
    return json.dumps({"question": "Where?", "answer": answer}) + "\n"


def test_a_run_and_a_curation_are_pinned_and_read_the_cache_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("HF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))  # of the child process
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home/hub"))  # of this one
    lines: list[str] = []
    (tmp_path / "local.jsonl").write_text(_row("here"))
    with loopback_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        files = {"README.md": README, "en.jsonl": _row("en"), "de.jsonl": _row("de")}
        commit = hub.add("org/faq", {**files, "probes.jsonl": "{}"})
        config = compose([*KEYS, "eval.probes=hf://datasets/org/faq/probes.jsonl"])
        extra = SourceConfig(path=str(tmp_path / "local.jsonl"), weight=1.0)
        library = resolve_library(
            replace(config.library, extra_sources={"local": extra}), log=lines.append
        )
        evaluation = resolve_eval(config.eval, log=lines.append)
        curation = resolve_curation(
            compose_curation(
                ["library.name=l", "library.sources=[x.md,faq=hf://datasets/org/faq/de.jsonl]"]
            ),
            log=lines.append,
        )
    pinned = f"hf://datasets/org/faq@{commit}"
    assert (library.path, library.subset, library.split) == (pinned, "en", "train")
    assert library.extra_sources["local"] == extra
    assert evaluation.probes == f"{pinned}/probes.jsonl"
    entry = SourceEntry(path=f"{pinned}/de.jsonl", name="faq")
    assert curation.library.sources == ["x.md", entry]
    assert lines[0] == "Downloading org/faq from the Hub, unless cached."
    # The Hub is gone: what a node reads is in the cache.
    found = find_files(
        DataReference(path=library.path, subset=library.subset, split=library.split), key="k"
    )
    assert [file.read_text() for file in found.files] == [_row("en")]
    assert cached_file(evaluation.probes, key="eval.probes").read_text() == "{}"
    with pytest.raises(DataError, match=r"the file gone.jsonl of org/faq@\w{7} is not in the Hub"):
        cached_file(f"{pinned}/gone.jsonl", key="eval.probes")
    assert found.origin == f"{pinned} (subset en, split train)"
    assert found.label == f"org/faq@{commit[:7]}"
    (source,) = find_sources([entry], key="library.sources")
    assert (source.name, source.label) == ("faq", f"org/faq@{commit[:7]}")
    assert [file.path.read_text() for file in source.files] == [_row("de")]
    with pytest.raises(DataError, match="org/other is not complete in the cache, and the Hub is "):
        find_files(DataReference(path="hf://datasets/org/other"), key="k")


def test_two_revisions_are_refused_before_the_hub_is_asked() -> None:
    for path in (f"hf://datasets/org/faq@{'a' * 40}", "hf://datasets/org/faq@v1"):
        named = f"library.path={path}", "library.revision=v2"
        config = compose(["run.name=r", "model.path=m", *named])
        with pytest.raises(ConfigError, match="and its key revision is v2") as caught:
            resolve_library(config.library, log=print)
        assert caught.value.remedy == "leave one of them out."
        curation = compose_curation(
            ["library.name=l", f"library.sources=[{{path: {path!r}, revision: v2}}]"]
        )
        with pytest.raises(ConfigError, match=r"library\.sources=.* its key revision is v2"):
            resolve_curation(curation, log=print)


class _ReadError(Exception):
    """Probes were read from its path."""


def _resume_until_probes_are_read(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(config: RunConfig) -> None:
        raise _ReadError(cached_file(str(config.eval.probes), key="eval.probes"))

    monkeypatch.setattr(resume, "read_plan", lambda _: None)
    monkeypatch.setattr(resume, "measure_problems", read)
    resume.replan(RunDir(Path("r")), config, log=print)


def test_files_keep_the_name_that_tells_their_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("HF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home/hub"))
    monkeypatch.chdir(tmp_path)
    texts = [json.dumps({"text": text}) for text in ("one", "two")]
    fact = {"question": "Where?", "answer": "here", "keys": ["here"], "kind": "fact"}
    pq.write_table(pa.Table.from_pylist([fact]), "probes.parquet")
    Path("blob").write_text(_row("here"))
    Path("train.jsonl").symlink_to("blob")  # as in the Hub's cache
    Path("model").mkdir()
    keys = ["run.name=r", "model.path=model", "library.path=train.jsonl"]
    on_hub = "hf://datasets/org/faq"
    with loopback_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        probes = Path("probes.parquet").read_bytes()
        commit = hub.add("org/faq", {"texts.jsonl": "\n".join(texts), "probes.parquet": probes})
        keys += [f"eval.perplexity_texts={on_hub}/texts.jsonl", f"eval.probes={on_hub}/*.parquet"]
        config = resolve_paths(compose(keys), log=print)
        shutil.rmtree("home")
        with pytest.raises(DataError, match="is not in the Hub's cache"):
            read_eval_set(config.eval, library=Path(config.library.path))
        with pytest.raises(
            _ReadError, match=r"probes\.parquet"
        ):  # a resumed run fetches them again
            _resume_until_probes_are_read(config, monkeypatch)
    assert config.library.path == str(tmp_path / "train.jsonl")
    assert config.eval.probes == f"{on_hub}@{commit}/probes.parquet"
    inputs = read_eval_set(config.eval, library=Path(config.library.path))
    assert inputs.texts == ("one", "two")
    assert [probe.question for probe in inputs.probes if probe.kind == "fact"] == ["Where?"]


def test_local_paths_ask_nothing_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("org/name").mkdir(parents=True)
    Path("org/name/a.md").write_text("# Gate 4\n\nIt is at the left of the hall.\n")
    config = compose_curation(["library.name=l", "library.sources=[org/name,org/missing,b.jsonl]"])
    lines: list[str] = []
    assert resolve_curation(config, log=lines.append) == config
    assert lines == []
    with pytest.raises(DataError, match=r"library\.sources: org/missing does not exist") as caught:
        check_curation(config)
    assert caught.value.remedy == (
        "name an existing file or folder, or write hf://datasets/org/missing if you mean a dataset "
        "of the Hub."
    )
