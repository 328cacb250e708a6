"""Whether a served model answers as the exported one did: the probes of the comparison again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from ftdist.errors import ConfigError, FtdistError
from ftdist.io.jsonl import read_json_lines
from ftdist.rundir import RunDir
from ftdist.text.matching import contains_all
from ftdist_launch.serving.backends import Served

MAX_PROBES = 20
SHOWN = 3
TIMEOUT_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A question that the served model answers otherwise."""

    question: str
    compared: str
    """The tuned model's answer in the comparison."""

    served: str


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The answers of a served model next to those of the comparison."""

    num_probes: int
    right: int
    """Served answers that contain the probe's keys."""

    right_in_comparison: int
    differences: tuple[Difference, ...]

    @property
    def is_worse(self) -> bool:
        """Whether fewer answers are right, by more than one in ten."""
        return self.right < self.right_in_comparison - self.num_probes / 10

    def lines(self) -> list[str]:
        """For the terminal."""
        same = self.num_probes - len(self.differences)
        lines = [
            f"{same} of {self.num_probes} answers are the same as in the comparison; "
            f"{self.right} are right ({self.right_in_comparison} in the comparison)."
        ]
        for each in self.differences[:SHOWN]:
            lines += [
                f"  question    {_short(each.question)}",
                f"  comparison  {_short(each.compared)}",
                f"  served      {_short(each.served)}",
            ]
        if self.is_worse:
            lines.append(
                "Warning: the served model is worse than the exported one. Its server may use "
                "another chat template, dtype or system prompt."
            )
        return lines


def read_probes(run: RunDir) -> list[dict[str, Any]]:
    """The probes on library facts that the comparison asked, evenly chosen, with its answers.

    Raises:
        ConfigError: the run has not been compared, or has no such probes.
    """
    rows = [
        row
        for row in read_json_lines(run.report / "answers.jsonl")
        if row.get("keys") and row["kind"] == "fact"
    ]
    if not rows:
        raise ConfigError(
            f"Run {run.name} has no compared answers to verify against.",
            remedy=f"run `ftdist compare {run.cli_name}` first.",
        )
    step = max(1, len(rows) // MAX_PROBES)
    return rows[::step][:MAX_PROBES]


def max_tokens_of_comparison(run: RunDir) -> int | None:
    """The limit of an answer in the run's comparison; None: not recorded."""
    try:
        scores = json.loads((run.report / "scores.json").read_text(encoding="utf-8"))
        return int(scores["eval_config"]["max_new_tokens"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def verify(
    served: Served,
    probes: Sequence[dict[str, Any]],
    *,
    system_prompt: str | None,
    max_tokens: int,
) -> Verification:
    """Ask a served model the probes and compare its answers.

    Args:
        served: the running server.
        probes: from `read_probes`.
        system_prompt: put before each question.
        max_tokens: the limit of an answer in the comparison.

    Raises:
        FtdistError: the server refuses a question.
    """
    system = [] if system_prompt is None else [{"role": "system", "content": system_prompt}]
    with httpx.Client(
        base_url=served.url, headers=served.headers, timeout=TIMEOUT_S, trust_env=False
    ) as client:
        answers = [
            _answer(
                client,
                model=served.model,
                messages=[*system, {"role": "user", "content": probe["question"]}],
                max_tokens=max_tokens,
            )
            for probe in probes
        ]
    pairs = list(zip(probes, answers, strict=True))
    return Verification(
        num_probes=len(probes),
        right=sum(contains_all(answer, probe["keys"]) for probe, answer in pairs),
        right_in_comparison=sum(
            contains_all(probe["tuned"]["answer"], probe["keys"]) for probe in probes
        ),
        differences=tuple(
            Difference(question=probe["question"], compared=probe["tuned"]["answer"], served=answer)
            for probe, answer in pairs
            if answer.strip() != probe["tuned"]["answer"].strip()
        ),
    )


def _answer(
    client: httpx.Client, *, model: str, messages: list[dict[str, str]], max_tokens: int
) -> str:
    body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": max_tokens}
    answer = client.post("/v1/chat/completions", json=body)
    if not answer.is_success:
        raise FtdistError(
            f"The server refuses a question (HTTP {answer.status_code}): {answer.text[:300]}",
            remedy="try another --backend.",
        )
    text: str = answer.json()["choices"][0]["message"]["content"] or ""
    return text


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:97]}..."
