"""Alerts of a run, which W&B sends by e-mail or Slack: each once, whichever process notices it.

What happened is read from the records, `events.jsonl` and `metrics.jsonl`. Each alert has
the name of its occurrence, and `wandb/alerts.json` lists the names that W&B has accepted: a later
attempt or `ftdist sync` sends the others.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ftdist.config.schema import RunConfig
from ftdist.config.schema.tracking import AlertKind
from ftdist.io.jsonl import write_whole
from ftdist.io.units import format_duration
from ftdist.observe.metrics import ATTEMPT, LOSS, SKIPPED, STEP, TIME, Row
from ftdist.observe.metrics_tail import JsonlTail
from ftdist.observe.redact import redacted
from ftdist.observe.wandb.api import WandbServer
from ftdist.observe.wandb.state import read_url, wandb_id
from ftdist.rundir import RunDir

MAX_TITLE = 63
"""Characters of a title that W&B accepts."""

MAX_TEXT = 1000

_TAIL_BYTES = 65536
"""More than the longest row."""

Level = Literal["INFO", "WARN", "ERROR"]
Event = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert."""

    kind: AlertKind
    occurrence: str
    """What it is about: an attempt or a step; the same for every process that notices it."""

    level: Level
    text: str

    @property
    def key(self) -> str:
        """Unique in a run."""
        return f"{self.kind}:{self.occurrence}"


class AlertSender:
    """Collects the alerts of a run and sends those that W&B does not have yet.

    Args:
        run: of the alerts; W&B must have the run before `send_due` is called.
        config: says which alerts are wanted.
        environment: values of its secrets are hidden in texts.
    """

    def __init__(self, run: RunDir, config: RunConfig, *, environment: Mapping[str, str]) -> None:
        self._run = run
        self._config = config
        self._environment = environment
        self._rows = JsonlTail(run.metrics)
        self._non_finite: dict[int, Alert] = {}
        """The first of each attempt."""

    def due(self, *, now: float, more_events: Sequence[Event] = ()) -> list[Alert]:
        """The wanted alerts that W&B does not have.

        Args:
            now: seconds since 1970.
            more_events: events that are about to be recorded.
        """
        wanted = self._config.tracking.alerts
        if not wanted:
            return []
        for row in self._rows.read():
            alert = non_finite_alert(row)
            if alert is not None:
                self._non_finite.setdefault(row.get(ATTEMPT.name, 0), alert)
        events = [*self._run.read_events(), *more_events]
        found = [*outcome_alerts(events), *spike_alerts(events), *self._non_finite.values()]
        found += stall_alerts(
            events,
            last_row_at=_last_row_at(self._run),
            now=now,
            limit_s=self._config.tracking.stalled_after_s,
        )
        sent = set(_read_sent(self._run))
        return [alert for alert in found if alert.kind in wanted and alert.key not in sent]

    def send_due(
        self, server: WandbServer, *, now: float, more_events: Sequence[Event] = ()
    ) -> int:
        """Send the alerts that are due. Returns their number.

        Raises:
            WandbError: W&B did not accept one; it is due again the next time.
        """
        num_sent = 0
        url = read_url(self._run)
        if url is None:
            return 0
        for alert in self.due(now=now, more_events=more_events):
            text = redacted(alert.text, environment=self._environment)
            server.send_alert(
                url=url,
                run_id=wandb_id(self._run),
                title=f"{_TITLES[alert.kind]}: {self._run.name}"[:MAX_TITLE],
                text=text[:MAX_TEXT],
                level=alert.level,
            )
            _write_sent(self._run, [*_read_sent(self._run), alert.key])
            num_sent += 1
        return num_sent


_TITLES: dict[AlertKind, str] = {
    "failed": "Failed",
    "non_finite": "Not finite",
    "loss_spike": "Loss spike",
    "stalled": "Stalled",
    "preempted": "Preempted twice",
    "finished": "Finished",
}


def outcome_alerts(events: Iterable[Event]) -> list[Alert]:
    """Alerts about how attempts ended, since the run was last requested."""
    ends: list[Event] = []
    for event in events:
        match event.get("event"):
            case "run_requested":
                ends = []
            case "attempt_finished":
                ends.append(event)
    found = []
    stops = [end for end in ends if end["outcome"] == "requeue"]
    if len(stops) > 1:
        found.append(_preempted(stops[1]))
    if ends and ends[-1]["outcome"] in ("failed", "crash_loop"):
        found.append(_failed(ends[-1]))
    if ends and ends[-1]["outcome"] == "done":
        text = f"The run is complete after attempt {ends[-1]['attempt']}."
        occurrence = str(ends[-1]["attempt"])
        found.append(Alert(kind="finished", occurrence=occurrence, level="INFO", text=text))
    return found


def _preempted(end: Event) -> Alert:
    attempt, cause = end["attempt"], end.get("cause") or "The cluster stopped it."
    text = f"Attempt {attempt} was interrupted, the second of this run. {cause} It starts again."
    return Alert(kind="preempted", occurrence=str(attempt), level="WARN", text=text)


def _failed(end: Event) -> Alert:
    attempt, cause = end["attempt"], end.get("cause") or "No rank reported a cause."
    text = f"Attempt {attempt} failed, and the run does not start again. {cause}"
    if end.get("remedy"):
        text += f" To fix: {end['remedy']}"
    return Alert(kind="failed", occurrence=str(attempt), level="ERROR", text=text)


def spike_alerts(events: Iterable[Event]) -> list[Alert]:
    """Alerts about losses far above those before them."""
    return [
        Alert(
            kind="loss_spike",
            occurrence=str(event["step"]),
            level="WARN",
            text=f"The loss of step {event['step']} is {event['loss']:.4g}; {event['median']:.4g} "
            "is the median of the steps before it.",
        )
        for event in events
        if event.get("event") == "loss_spike"
    ]


def non_finite_alert(row: Row) -> Alert | None:
    """The alert about a row with a loss or gradients that are not finite; None if all are."""
    loss = row.get(LOSS.name, 0.0)
    if math.isfinite(loss) and not row.get(SKIPPED.name):
        return None
    step = row[STEP.name]
    what = f"The loss of step {step} is {loss}."
    if math.isfinite(loss):
        what = f"Gradients of step {step} were not finite, and its update was skipped."
    text = f"{what} Further ones of this attempt cause no alert."
    return Alert(kind="non_finite", occurrence=str(step), level="ERROR", text=text)


def stall_alerts(
    events: Sequence[Event], *, last_row_at: float, now: float, limit_s: float
) -> list[Alert]:
    """The alert about an open attempt without a step or an event for longer than `limit_s`."""
    begins = [e for e in events if e.get("event") in ("attempt_started", "attempt_finished")]
    if not begins or begins[-1]["event"] == "attempt_finished":
        return []
    seen_at = max(last_row_at, *(event.get("time", 0.0) for event in events))
    if now - seen_at <= limit_s:
        return []
    attempt = begins[-1]["attempt"]
    text = f"Attempt {attempt} has had no step and no event for {format_duration(now - seen_at)}."
    return [Alert(kind="stalled", occurrence=f"{attempt}@{seen_at:.0f}", level="WARN", text=text)]


def _last_row_at(run: RunDir) -> float:
    """When the newest row was written, seconds since 1970; 0 without rows."""
    try:
        with run.metrics.open("rb") as file:
            file.seek(max(0, run.metrics.stat().st_size - _TAIL_BYTES))
            lines = file.read().splitlines()
        return float(json.loads(lines[-1])[TIME.name])
    except (OSError, ValueError, LookupError, TypeError):
        return 0.0


def _read_sent(run: RunDir) -> list[str]:
    try:
        sent = json.loads((run.wandb / "alerts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [str(key) for key in sent] if isinstance(sent, list) else []


def _write_sent(run: RunDir, keys: Sequence[str]) -> None:
    write_whole(run.wandb / "alerts.json", json.dumps(list(keys)) + "\n")
