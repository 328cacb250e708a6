"""Text of strangers on a terminal: it neither controls it nor turns its order around."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ftdist_launch.doctor.finding import Finding
from rich.console import Console
from rich.text import Text

from ftdist.cli import common
from ftdist.cli.commands.doctor import print_findings
from ftdist.cli.commands.logs import without_escapes
from ftdist.cli.main import main
from ftdist.cli.views.terminal import printable
from ftdist.library import main as library_main
from ftdist.observe.console import print_line

EVIL = "a\x1b]0;owned\x07\x1b[2Jb\x9b31m\r\u202egpj.exe\u2066\x08c"
RAW = set("\x1b\x07\x9b\r\u202e\u2066\x08")


@pytest.mark.fault("XK")
@pytest.mark.parametrize(
    "show",
    [
        common.report,
        common.log,
        common.print_result,
        lambda text: common.print_plan([(text, text)], title="plan"),
        lambda text: print_findings(
            [Finding(area="a", name="n", level="warn", found=text, consequence=text, remedy=text)]
        ),
        library_main._log,
        print_line,
        lambda text: print(without_escapes(text)),
    ],
    ids=["report", "log", "result", "plan", "doctor", "curate", "training", "logs"],
)
def test_no_printer_lets_control_characters_through(
    capsys: pytest.CaptureFixture[str], show: Callable[[str], None]
) -> None:
    show(EVIL)
    out, err = capsys.readouterr()
    assert "gpj.exe" in out + err
    assert not RAW & set(out + err)


@pytest.mark.parametrize("text", ["runs/[bold]a[/bold]", "runs/[/b]", ":smile:"])
def test_names_are_no_markup(capsys: pytest.CaptureFixture[str], text: str) -> None:
    common.print_plan([("model", text)], title="plan")
    assert text in capsys.readouterr().out


@pytest.mark.fault("XK")
def test_an_error_that_repeats_a_hostile_name_is_printed_plain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["status", EVIL]) == 78
    err = capsys.readouterr().err
    assert "gpj.exe" in err
    assert not RAW & set(err)


@pytest.mark.fault("XK")
def test_a_line_of_status_shows_hostile_names_in_their_place() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=False, width=200)
    console.print(printable(Text(EVIL), console))
    assert out.getvalue() == "a?]0;owned?[2Jb?31m?gpj.exe?c\n"


@pytest.mark.fault("XK")
def test_json_for_scripts_keeps_the_text_and_escapes_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    common.print_json({"name": EVIL})
    out = capsys.readouterr().out
    assert json.loads(out) == {"name": EVIL}
    assert not RAW & set(out)
