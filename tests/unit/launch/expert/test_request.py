"""All that is wrong with any stage is found before the first one starts."""

from pathlib import Path

import pytest
from ftdist_launch.expert.request import check_expert
from ftdist_launch.slurm.client import Queue

from ftdist.config.expert import compose_expert
from ftdist.errors import ConfigError


def test_problems_of_documents_model_questions_and_place_are_reported_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("sources=nowhere", "model=./none", "name=r", "eval.extra_probes=p.jsonl")
    expert = compose_expert([*words, "eval.probes=q.jsonl", "cluster.nodes=2"])
    with pytest.raises(ConfigError) as caught:
        check_expert(expert, words=words, queue=Queue(), log=lambda _: None)
    for text in ("4 problems", "nowhere", "model folder", "q.jsonl", "cluster.nodes=2"):
        assert text in caught.value.problem
    assert list(tmp_path.iterdir()) == []
