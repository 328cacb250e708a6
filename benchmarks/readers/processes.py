"""A reader in a process of its own, asked for one document after the other."""

import json
import os
import select
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.readers.candidates import CACHE, CHECKOUT, Candidate

TIMEOUT_S = 180.0


@dataclass(frozen=True)
class Answer:
    """What a reader made of a document: a text, or an error."""

    text: str
    seconds: float
    error: str = ""


class ReaderProcess:
    """Starts when it is first asked, and again after a document that took too long."""

    def __init__(self, candidate: Candidate, *, python: Path) -> None:
        self._command = [str(python), str(Path(__file__).with_name("child.py")), candidate.name]
        self._log = CACHE / f"{candidate.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def read(self, path: Path) -> Answer:
        """Let it read a document."""
        try:
            process = self._process or self._start()
            assert process.stdin is not None
            process.stdin.write(f"{path}\n".encode())
            process.stdin.flush()
            answer = self._line(process)
        except (OSError, TimeoutError, json.JSONDecodeError) as error:
            self.close()
            return Answer("", 0.0, f"{type(error).__name__}: {error}")
        return Answer(answer.get("text", ""), answer.get("seconds", 0.0), answer.get("error", ""))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            with self._process as process:  # waits, and closes the pipes
                process.kill()
        self._process, self._unread = None, b""

    def _start(self) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "HF_HUB_OFFLINE": "1"}
        with self._log.open("wb") as log:
            process = self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                cwd=CACHE,
            )
        self._line(process)
        return process

    def _line(self, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        while b"\n" not in self._unread:
            if not select.select([descriptor], [], [], TIMEOUT_S)[0]:
                raise TimeoutError(f"no answer in {TIMEOUT_S:.0f} s")
            data = os.read(descriptor, 2**16)
            if not data:
                raise OSError(f"it ended; see {self._log}")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer
