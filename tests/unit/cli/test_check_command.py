"""`ftdist check` on the command line: output, page, exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from ftdist.check import main
from ftdist.cli.commands import check
from ftdist.errors import ConfigError
from tests.unit.check.conftest import conversation, rows, save_model, write_library

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The child's work is done here, where its packages are loaded already."""

    def call(module: str, arguments: list[str]) -> dict[str, Any]:
        assert module == "ftdist.check.main"
        result = tmp_path / "result.json"
        main.main([*arguments, str(result)])
        values: dict[str, Any] = json.loads(result.read_text())
        return values

    monkeypatch.setattr(check, "call_child", call)
    monkeypatch.setattr(main, "model_findings", lambda *_, **__: iter(()))
    monkeypatch.chdir(tmp_path)


def words(model: Path, library: list[Any], *others: str) -> list[str]:
    folder = write_library(Path("library"), library)
    keys = ["batch.sequence_length=128", "batch.tokens=1024"]
    return [f"model.path={model}", f"library.path={folder}", *keys, *others]


def test_a_fitting_library_ends_with_0_and_writes_a_page(model: Path, capsys: Captured) -> None:
    assert check.main(words(model, rows())) == 0
    output = capsys.readouterr().out
    page = Path("ftdist-check.html")
    assert f"0 failed, 0 warnings, 17 ok. Details and more samples: {page}" in output
    text = page.read_text()
    assert "Does this library fit this model?" in text
    assert 'class="s l" title="1">&lt;|im_end|&gt;</i>' in text
    assert page.stat().st_mode & 0o777 == 0o600


def test_what_failed_ends_with_78_and_what_warns_only_if_strict(
    model: Path, capsys: Captured
) -> None:
    long = conversation("Where is the lamp?", "There. " * 200)
    assert check.main(words(model, [*rows(), long])) == 78
    warns = words(model, [*rows(), *rows()])
    assert check.main(warns) == 0
    assert check.main([*warns, "--strict"]) == 78


def test_json_is_for_scripts(model: Path, capsys: Captured) -> None:
    assert check.main(words(model, rows(), "--json", "--html", "page/p.html")) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["status"] == "ok"
    assert values["findings"][0]["check"] == "model"
    assert values["sources"][0]["rows"] == 3
    assert values["page"] == str(Path("page/p.html").absolute())
    assert Path("page/p.html").is_file()


def test_wrong_flags_and_keys_are_named(model: Path) -> None:
    with pytest.raises(ConfigError, match="--jsn"):
        check.main(words(model, rows(), "--jsn"))
    with pytest.raises(ConfigError, match=r"library\.pth"):
        check.main([f"model.path={model}", "library.pth=x"])
