"""The command line of `ftdist expert`: which key goes to the curation, and which to the run."""

from pathlib import Path

import pytest

from ftdist.config.expert import ExpertConfig, compose_expert, expand
from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import ConfigError

BASE = ("sources=[manuals/,tickets.jsonl]", "model=org/name", "run.name=widget")


def curation_of(expert: ExpertConfig) -> CurateConfig:
    assert expert.curation is not None
    return expert.curation


def problems_of(*words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        compose_expert(words)
    return str(caught.value)


def test_short_names_stand_for_keys_and_groups_come_first() -> None:
    assert expand(["sources=a,b", "name=r", "model=default", "model=m", "library=l"]) == [
        *("library.sources=[a,b]", "run.name=r", "model=default", "model.path=m"),
        "library.path=l",
    ]


def test_the_run_learns_the_library_that_the_curation_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expert = compose_expert(BASE)
    curation = curation_of(expert)
    assert curation.library.sources == ["manuals/", "tickets.jsonl"]
    assert curation.library.name == "widget"
    assert expert.run.library.path == str(tmp_path / "libraries" / "widget")


def test_cluster_and_model_go_to_both_and_every_other_key_to_the_one_that_knows_it() -> None:
    keys = ("clean.pii=allow", "optim.peak_lr=1e-3", "library.license=mit", "cluster.nodes=2")
    expert = compose_expert([*BASE, *keys, "cluster=slurm", "library.columns={question: q}"])
    curation = curation_of(expert)
    assert (curation.clean.pii, curation.library.license) == ("allow", "mit")
    assert expert.run.optim.peak_lr == 1e-3
    assert curation.cluster == expert.run.cluster
    assert (expert.run.cluster.executor, expert.run.cluster.nodes) == ("slurm", 2)
    assert curation.model.path == expert.run.model.path == "org/name"
    assert curation.library.columns == {"question": "q"}
    assert expert.run.library.columns == {}


def test_the_recommended_options_hold_unless_others_are_typed() -> None:
    expert = compose_expert(BASE)
    assert expert.run.library.kl_to_base == ["replay", "out_of_scope"]
    assert curation_of(expert).retention.num_replay_answers > 0
    plain = compose_expert([*BASE, "retention=none", "experiment=null"])
    assert plain.run.library.kl_to_base == []
    assert curation_of(plain).retention.num_replay_answers == 0


def test_an_expert_learns_every_conversation_in_many_wordings_unless_keys_say_otherwise() -> None:
    curation = curation_of(compose_expert(BASE))
    assert curation.split.held_out_conversations == 0
    assert curation.synthesis.paraphrases == 8
    typed = compose_expert([*BASE, "synthesis.paraphrases=2"])
    assert curation_of(typed).synthesis.paraphrases == 2
    typed = compose_expert([*BASE, "split.held_out_conversations=0.1"])
    assert curation_of(typed).split.held_out_conversations == 0.1


def test_sources_that_retention_does_not_make_are_not_trained_on() -> None:
    assert compose_expert([*BASE, "retention=none"]).run.library.kl_to_base == []
    typed = compose_expert([*BASE, "retention=none", "library.kl_to_base=[replay]"])
    assert typed.run.library.kl_to_base == ["replay"]


def test_a_library_in_place_of_sources_skips_the_curation() -> None:
    expert = compose_expert(["library=libraries/w", *BASE[1:], "library.columns={question: q}"])
    assert expert.curation is None
    assert expert.run.library.columns == {"question": "q"}


def test_the_lengths_of_passages_follow_the_sequence_length_of_training() -> None:
    expert = compose_expert([*BASE, "batch.sequence_length=512", "batch.tokens=1024"])
    assert curation_of(expert).model.sequence_length == 512


def test_mistakes_of_all_stages_are_reported_together_and_once() -> None:
    message = problems_of(
        *("sources=[a]", "model=m", "name=r", "retention=recomended", "optim.lr=3"),
        *("clean.dedup=maybe", "cluster.nodes=none"),
    )
    for words in (
        "has 4 problems",
        "did you mean retention=recommended",
        "optim.peak_lr=3",
        "clean.dedup=maybe is not true or false",
    ):
        assert words in message
    assert message.count("cluster.nodes=none") == 1


def test_what_is_missing_is_named_in_the_words_of_the_command() -> None:
    message = problems_of("run.name=r")
    assert "neither sources nor library.path is set" in message
    assert "add model=" in message.lower()
    misspelt = problems_of("sourecs=[a]", "model=m", "name=r")
    assert "did you mean library.sources" in misspelt
    assert "neither sources" not in misspelt


def test_errors_have_the_short_names_that_were_typed() -> None:
    message = problems_of("sources=[a]", "model=m", "name=a/b")
    assert message.startswith("name=a/b is not a name")
    assert "write name=a-b" in message
    assert "library.sources and" in problems_of(*BASE[1:], "library.sources=[a]", "library.path=l")
    assert "sources and library are both set" in problems_of(*BASE, "library=l")


def test_two_libraries_and_keys_of_a_curation_without_sources_are_refused() -> None:
    assert "both set" in problems_of(*BASE, "library.path=l")
    message = problems_of("library=l", *BASE[1:], "clean.dedup=false")
    assert message.startswith("clean.dedup is for a curation")
