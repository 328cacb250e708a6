"""The right to upload lasts through one long call, and whoever loses it stops."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ftdist_launch.local.processes import handled

from ftdist.errors import RequeueError
from ftdist.observe.wandb import stage_upload, state
from ftdist.observe.wandb import sync as sync_module
from ftdist.observe.wandb.stage_upload import longest_wait_s, upload_comparison
from ftdist.observe.wandb.state import SenderLock, SyncResult
from ftdist.observe.wandb.sync import sync
from tests.support.wandb.fake_run import make_config, make_run


def test_a_sync_renews_its_lock_during_one_long_upload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "r", wandb="auto")
    lock = run.wandb / "sender"
    monkeypatch.setattr(state, "RENEW_EVERY_S", 0.02)

    def upload(*_: Any, **__: Any) -> SyncResult:
        os.utime(lock, (1e9, 1e9))
        deadline = time.monotonic() + 10
        while lock.stat().st_mtime == 1e9:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return SyncResult(sent=1, step=1, url=None)

    monkeypatch.setattr(sync_module, "_upload", upload)
    environment = {"WANDB_API_KEY": "k" * 40, "HOME": str(tmp_path)}
    assert sync(run, new=False, environment=environment).sent == 1
    assert not lock.exists()


def test_a_sender_that_was_replaced_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "r", wandb="auto")
    run.wandb.mkdir(exist_ok=True)
    sender, lost = SenderLock(run, who="ftdist sync"), threading.Event()
    assert sender.acquire() is None
    monkeypatch.setattr(state, "RENEW_EVERY_S", 0.02)
    with sender.renewed(on_loss=lost.set):
        assert not lost.wait(0.1)
        (run.wandb / "sender").write_text("attempt 2 other")
        assert lost.wait(10)
    sender.release()
    assert (run.wandb / "sender").read_text() == "attempt 2 other"


def test_a_stage_that_is_stopped_while_it_uploads_has_succeeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "r", wandb="auto")
    config = make_config(tmp_path, wandb="auto")
    ends, lines = threading.Event(), list[str]()
    monkeypatch.setattr(stage_upload, "offline_reason", lambda *_: None)
    monkeypatch.setattr(stage_upload, "_LAST_WAIT_S", 0.0)
    monkeypatch.setattr(stage_upload, "_send", lambda *_, **__: str(ends.wait(30)))

    def stop(*_: object) -> None:
        raise SystemExit(RequeueError.exit_code)

    with handled(stop, signal.SIGUSR2):
        kill = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGUSR2])
        kill.start()
        upload_comparison(run, config, log=lines.append)
    ends.set()
    assert lines == [
        "The upload to W&B was stopped with the job; "
        f"`ftdist sync {run.cli_name}` uploads the comparison."
    ]


def test_a_stage_waits_ten_minutes_at_most_for_artifacts() -> None:
    assert longest_wait_s(20_000_000) == 100.0  # 90 s and 2 MB/s
    assert longest_wait_s(16_000_000_000) == 600.0
