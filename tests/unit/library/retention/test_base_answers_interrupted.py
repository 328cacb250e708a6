"""A curation that is killed while a real base model answers: the next one keeps what was answered.

The process is started as `ftdist curate` starts it, and killed as a machine kills it.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ftdist.config.compose import compose_curation
from ftdist.testing import tiny

pytestmark = pytest.mark.timeout(280)

ANSWERS = 80
_WAIT_S = 200


def _lines(cache: Path) -> list[str]:
    return [
        line
        for path in cache.glob("answers/*.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
    ]


def _on_one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def test_a_killed_curation_keeps_the_base_answers_that_it_has(tmp_path: Path) -> None:
    model, cache = tiny.make(tmp_path / "tiny") / "model", tmp_path / "cache"
    config = compose_curation(
        [
            "library.name=w", f"library.root={tmp_path}", f"work.cache_dir={cache}",
            f"library.sources=[{tmp_path / 'tiny/library/fernbot.jsonl'}]", "work.num_proc=1",
            f"model.path={model}", f"retention.num_replay_answers={ANSWERS}",
            "retention.max_answer_tokens=10", "retention.long_answer_fraction=0",
        ]
    )  # fmt: skip
    settings = tmp_path / "config.json"
    settings.write_text(json.dumps(dataclasses.asdict(config)), encoding="utf-8")
    command = [sys.executable, "-m", "ftdist.library.main", str(settings), str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=_on_one_core)
    end = time.monotonic() + _WAIT_S
    while not _lines(cache):
        assert time.monotonic() < end, "no base answer was cached"
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    _, output = process.communicate()
    assert f"curate: loading the base model {model}\n" in output
    known = [line for line in _lines(cache) if line.endswith("\n")]
    assert 0 < len(known) < ANSWERS

    again = subprocess.run(
        command, capture_output=True, text=True, timeout=_WAIT_S, check=True,
        preexec_fn=_on_one_core,
    )  # fmt: skip
    new = ANSWERS - len(known)
    assert f"0/{new}, {len(known)} more from the cache\n" in again.stderr
    assert _lines(cache)[: len(known)] == known
    assert len({json.loads(line)["prompt"] for line in _lines(cache)[-new:]}) == new
    assert (tmp_path / "w" / "index.html").is_file()
