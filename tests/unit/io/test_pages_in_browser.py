"""The pages in a real browser: even markup that slipped through would run nothing, load nothing."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ftdist.check.page import write_page
from ftdist.library.dataset_card import html_card
from ftdist.observe.training_page import write_training_page
from tests.support.browser import browser
from tests.support.documents.real_libraries import needs
from tests.unit.check.test_samples import report
from tests.unit.library.test_dataset_card import _card
from tests.unit.observe.test_training_page import some_run

pytestmark = pytest.mark.timeout(180)

MARK = "document.body.dataset.owned = 1"
HOSTILE = f'"><script>{MARK}</script><img src=x onerror="{MARK}"><svg onload="{MARK}">'
SLIPPED = (
    f"<script>{MARK}</script><img src='ADDRESS/a.png' onerror='{MARK}'>"
    "<link rel=stylesheet href='ADDRESS/a.css'><iframe src='ADDRESS/'></iframe>"
    f"<svg onload='{MARK}'></svg><script src='ADDRESS/a.js'></script>"
)
"""As if a place in a template forgot to escape."""


def _library(folder: Path) -> Path:
    victim = {"location": HOSTILE, "excerpt": HOSTILE}
    card = _card(rules={HOSTILE: {"count": 1, "examples": [victim]}}, ignored=[HOSTILE])
    path = folder / "index.html"
    path.write_text(html_card(card))
    return path


def _check(folder: Path) -> Path:
    whole = report()
    finding = replace(whole.findings[0], message=HOSTILE, remedy=HOSTILE)
    write_page(
        replace(whole, model=HOSTILE, library=HOSTILE, findings=[finding]),
        folder / "check.html",
        private=True,
    )
    return folder / "check.html"


def _training(folder: Path) -> Path:
    run = some_run(folder / "project")
    run.append_event("requeue_failed", cause=HOSTILE)
    return write_training_page(run)


@pytest.mark.fault("S7", "XK")
@pytest.mark.parametrize("make", [_library, _check, _training])
def test_hostile_text_is_shown_as_text_and_slipped_markup_does_nothing(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    needs("chromium")
    page = make(tmp_path)
    slipped = tmp_path / "slipped.html"
    with browser(tmp_path / "p") as shown, socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        markup = SLIPPED.replace("ADDRESS", f"http://127.0.0.1:{server.getsockname()[1]}")
        slipped.write_text(page.read_text().replace("<body>", f"<body>{markup}"))
        assert markup in slipped.read_text()
        shown.open(page)
        assert HOSTILE in shown.run("document.body.textContent")
        assert shown.run("document.querySelector('script, img, [onload]')") is None
        assert shown.run("document.body.dataset.owned") is None
        shown.open(slipped)
        assert shown.run("document.querySelector('script') !== null")
        time.sleep(0.5)
        assert shown.run("document.body.dataset.owned") is None
        assert _received(server) == b""


def _received(server: socket.socket) -> bytes:
    """What came; Chromium connects for a frame that it then does not load."""
    data = b""
    with suppress(BlockingIOError):
        while True:
            with server.accept()[0] as caller, suppress(BlockingIOError):
                caller.setblocking(False)
                data += caller.recv(1000)
    return data
