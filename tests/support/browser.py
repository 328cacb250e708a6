"""Drive a page in headless Chromium over its debugging pipe.

Protocol: https://chromedevtools.github.io/devtools-protocol/, JSON ended by a zero byte.
"""

import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TIMEOUT_S = 60.0

_ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking"),
)
_HEARD = ("Runtime.exceptionThrown", "Log.entryAdded", "Network.requestWillBeSent")


class Browser:
    """One page of a browser that was just started.

    Attributes:
        events: the browser's errors, log messages and requests.
    """

    def __init__(self, *, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._number, self._left = 0, b""
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def open(self, page: Path | str) -> None:
        """Show a file or an address, and wait until it is there whole."""
        url = page if isinstance(page, str) else page.resolve().as_uri()
        self._ask("Page.navigate", url=url)
        end = time.monotonic() + TIMEOUT_S
        while self.run("location.href") == "about:blank" or self.run("document.readyState") != (
            "complete"
        ):
            assert time.monotonic() < end, f"{page} did not load"
            time.sleep(0.05)

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise's once it is there."""
        output = self._ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in output, output["exceptionDetails"]
        return output["result"].get("value")

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Width and height in CSS pixels, and the colours that the reader prefers."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        preferred = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[preferred])

    def picture(self, path: Path) -> None:
        """Write the whole page as a PNG."""
        output = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(output["data"]))

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + TIMEOUT_S
        while True:
            output = self._read(end)
            if output.get("id") == self._number:
                assert "error" not in output, (method, output["error"])
                result: dict[str, Any] = output["result"]
                return result
            if output.get("method") in _HEARD:
                self.events.append(output)

    def _read(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            part = os.read(self._answers, 1 << 16)
            assert part, "the browser has ended"
            self._left += part
        first, _, self._left = self._left.partition(b"\0")
        output: dict[str, Any] = json.loads(first)
        return output


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser that keeps what it remembers in `profile`, and ends with the block."""
    get_commands, put_commands = os.pipe()
    get_answers, put_answers = os.pipe()
    # Chromium reads from 3 and writes to 4.
    shell = f'exec "$@" 3<&{get_commands} 4>&{put_answers}'
    process = subprocess.Popen(
        ["bash", "-c", shell, "-", "chromium", *_ARGUMENTS, f"--user-data-dir={profile}"],
        pass_fds=(get_commands, put_answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(get_commands)
    os.close(put_answers)
    try:
        yield Browser(commands=put_commands, answers=get_answers)
    finally:
        process.terminate()
        process.wait(timeout=TIMEOUT_S)
        os.close(put_commands)
        os.close(get_answers)
