"""From sources to a curated library: read, sift, teach, keep, publish.

Each stage leaves what it made in the cache under a fingerprint of what went into it, so a curation
that was interrupted goes on, and one whose sources changed in part reads that part. What comes out
depends on sources, settings and versions alone: never on how many processes worked, or when.
"""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import ConfigError, DataError, StorageError
from ftdist.io.atomic_dir import remove_stale_dirs
from ftdist.io.hashing import fingerprint
from ftdist.io.jsonl import read_json_lines
from ftdist.io.progress import LogFn, told
from ftdist.io.worker_pool import in_order, processes_for
from ftdist.library.readers.discovery import FoundSource, find_sources
from ftdist.library.retention.replay import Asked, BaseReplies, Kept, kept_samples
from ftdist.library.retention.response_cache import Ask
from ftdist.library.stages.build_samples import Lesson, TeachSettings, teach_piece, written_for
from ftdist.library.stages.generate import Writer
from ftdist.library.stages.publish import (
    Published,
    Taught,
    place_of,
    publish,
    reason_of,
    refuse_others,
)
from ftdist.library.stages.read import Work, judge_bad_rows, read_sources
from ftdist.library.stages.select import LIBRARY, ReadSource, Sifted, sift
from ftdist.library.stages.validate_roles import refused_rows
from ftdist.library.stats import Account

REPLAY = "replay"


@runtime_checkable
class Base(Protocol):
    """The base model, as far as a curation needs it."""

    path: str

    @property
    def key(self) -> str:
        """Fingerprint of the model."""

    @property
    def encoder(self) -> Any:
        """A `ChatEncoder` of its tokenizer."""

    def ask(self, *, answer_tokens: int) -> Ask:
        """A function from prompts to greedy answers."""

    def continue_texts(self, *, text_tokens: int, seed: int) -> Ask:
        """A function from numbered openings to texts drawn by chance."""


@runtime_checkable
class Endpoint(Protocol):
    """A language model that is asked over the network."""

    @property
    def key(self) -> str:
        """Fingerprint of the model and of what its answers depend on."""

    def ask(self) -> Ask:
        """A function from prompts to answers; an error for a prompt that is refused."""


def curate(
    config: CurateConfig, *, model: Base | None, endpoint: Endpoint | None = None, log: LogFn
) -> Published:
    """Make a library.

    Args:
        config: of the curation.
        model: counts tokens and answers prompts; None: neither is done.
        endpoint: writes questions and wordings, where `generator.backend=endpoint`.
        log: is told how the work goes on.

    Raises:
        ConfigError: settings that contradict each other.
        DataError: a source is not there, or holds what cannot be used and is not to be skipped.
        StorageError: the library or the cache cannot be written.
    """
    _refuse_contradictions(config)
    refuse_others(place_of(config))
    cache = Path(config.work.cache_dir).expanduser().absolute()
    work = Work(
        config=config, cache_dir=cache, num_proc=processes_for(config.work.num_proc), log=log
    )
    try:
        return _curate(work, model=model, endpoint=endpoint)
    except OSError as error:
        raise StorageError(
            f"{error.filename or cache} cannot be read or written: {reason_of(error)}.",
            remedy="free some space there and see to its rights, or set work.cache_dir to a folder "
            "of your own.",
        ) from error


def _curate(work: Work, *, model: Base | None, endpoint: Endpoint | None) -> Published:
    config, cache = work.config, work.cache_dir
    _make_cache(cache)
    found = find_sources(config.library.sources, key="library.sources")
    general = (
        find_sources(config.retention.replay_sources, key="retention.replay_sources")
        if config.retention.replay_sources
        else ()
    )
    _refuse_unknown_weights(config, found)
    roles = [(source, LIBRARY) for source in found] + [(source, REPLAY) for source in general]
    read = read_sources(roles, work=work)
    encoder = None if model is None else model.encoder
    refused = {} if encoder is None else refused_rows(read, encoder=encoder)
    judge_bad_rows(read, config=config)
    sifted = sift(read, config=config, refused=refused)
    writer = _writer(config, model=model, endpoint=endpoint, work=work)
    taught = _teach(read, sifted, writer=writer, work=work)
    kept = _keep(taught, model=model, work=work)
    return publish(
        config,
        taught=taught,
        kept=kept,
        found=(*found, *general),
        decontamination=sifted.decontamination,
        model=model,
        log=work.log,
    )


def _make_cache(cache: Path) -> None:
    for name in ("read", "taught"):
        (cache / name).mkdir(parents=True, exist_ok=True)
        remove_stale_dirs(cache / name)
    remove_stale_dirs(cache)
    cache.chmod(0o700)


def check_curation(config: CurateConfig) -> None:
    """Refuse what cannot become a library, as far as that shows before anything is read.

    Raises:
        ConfigError: settings that contradict each other, or the place is taken.
        DataError: a source is not there.
    """
    _refuse_contradictions(config)
    refuse_others(place_of(config))
    _refuse_unknown_weights(config, find_sources(config.library.sources, key="library.sources"))
    if config.retention.replay_sources:
        find_sources(config.retention.replay_sources, key="retention.replay_sources")


def _refuse_contradictions(config: CurateConfig) -> None:
    has_model = config.model.path is not None
    asks = [
        key
        for key, value in (
            ("retention.num_replay_answers", config.retention.num_replay_answers),
            ("retention.num_replay_texts", config.retention.num_replay_texts),
            ("retention.num_out_of_scope_answers", config.retention.num_out_of_scope_answers),
        )
        if value
    ]
    if asks and not has_model:
        raise ConfigError(
            f"{' and '.join(asks)} {'asks' if len(asks) == 1 else 'ask'} the base model, and "
            "model.path is not set.",
            remedy=f"set model.path to the base model's folder, or {asks[0]}=0"
            + (", or retention=none for all." if len(asks) > 1 else "."),
        )
    if config.generator.backend == "base" and not has_model:
        raise ConfigError(
            "generator.backend=base asks the base model, and model.path is not set.",
            remedy="set model.path to the base model's folder, or generator.backend=rules.",
        )
    replay, out_of_scope = (
        config.retention.replay_fraction,
        config.retention.out_of_scope_fraction,
    )
    if replay + out_of_scope >= 1:
        raise ConfigError(
            f"retention.replay_fraction={replay} and "
            f"retention.out_of_scope_fraction={out_of_scope} leave no room for the library.",
            remedy="set them to less than 1 together.",
        )


def _refuse_unknown_weights(config: CurateConfig, found: Sequence[FoundSource]) -> None:
    names = [source.name for source in found]
    unknown = sorted(set(config.library.weights) - set(names))
    if unknown:
        raise ConfigError(
            f"library.weights names {', '.join(unknown)}, and the sources are {', '.join(names)}.",
            remedy="use those names, or give a source its own: library.sources=[NAME=PATH].",
        )


def _writer(
    config: CurateConfig, *, model: Base | None, endpoint: Endpoint | None, work: Work
) -> Writer | None:
    """Who writes questions and wordings; None: rules alone."""
    asked = config.generator
    if asked.backend == "rules" or not (
        asked.questions_per_passage or asked.paraphrases_per_question
    ):
        return None
    if asked.backend == "base":
        assert model is not None
        ask, model_fingerprint = model.ask(answer_tokens=asked.max_tokens), model.key
    else:
        assert endpoint is not None
        ask, model_fingerprint = endpoint.ask(), endpoint.key
    key = fingerprint(model_fingerprint, asked.max_tokens)
    replies = work.cache_dir / "answers" / f"{key}.jsonl"
    return Writer(
        ask=ask,
        key=key,
        replies=replies,
        questions=asked.questions_per_passage,
        wordings=asked.paraphrases_per_question,
        log=work.about("written"),
        has_spoken=any(row.get("answer") for row in read_json_lines(replies)),
    )


def _teach(
    read: Sequence[ReadSource], sifted: Sifted, *, writer: Writer | None, work: Work
) -> list[Taught]:
    """Make samples of what is kept, each piece in a process of its own."""
    settings, split = work.config.synthesis, work.config.split
    documents = max(1, sum(1 for s in read for p in s.pieces if p.kind not in _CHATS))
    probes = -(-split.num_probes // documents) if split.num_probes else 0
    lessons = []
    for source in read:
        is_library = source.role == LIBRARY
        taught = TeachSettings(
            passages=settings.passages or not is_library,
            passage_words=settings.passage_words,
            questions=settings.extract_questions and is_library,
            wordings=settings.paraphrases if is_library else 1,
            cite=settings.cite_sources,
            probes=probes if is_library else 0,
            overlap_words=split.decontamination_ngram,
            seed=work.config.library.seed,
        )
        own = [
            Lesson(piece=piece, decision=decision, source=source.name, settings=taught)
            for piece, decision in zip(source.pieces, sifted.decisions[source.name], strict=True)
        ]
        if writer is not None and is_library:
            own = [written_for(lesson, writer=writer) for lesson in own]
        lessons.append(own)
    if writer is not None:
        writer.end_if_mute()
    work.log(f"curate: teaching {sum(map(len, lessons))} pieces")
    everything = list(chain(*lessons))
    results = told(
        in_order(teach_piece, everything, processes=work.num_proc, if_it_dies=_no_lesson),
        sizes=[0 if lesson.is_taught else lesson.piece.size for lesson in everything],
        log=work.about("teaching"),
    )
    taught_sources = []
    for source, own in zip(read, lessons, strict=True):
        account = source.account
        for one in [next(results) for _ in own]:
            account.add(one)
        taught_sources.append(
            Taught(
                name=source.name,
                role=source.role,
                account=account,
                folders=tuple(lesson.folder for lesson in own),
                units=tuple(
                    (len(lesson.decision.kept), int(lesson.decision.kept.sum())) for lesson in own
                ),
                held_out_units=sum(int(lesson.decision.held_out.sum()) for lesson in own),
            )
        )
    return taught_sources


_CHATS = ("json", "jsonl", "csv", "parquet", "yaml")


def _no_lesson(lesson: Lesson) -> Account:
    raise DataError(
        f"{lesson.piece.name} ends the program that makes samples of it.",
        remedy="leave it out, and report it.",
    )


def _keep(taught: Sequence[Taught], *, model: Base | None, work: Work) -> Kept:
    """Replay and out-of-scope samples with the base model's own answers."""
    config = work.config
    base = None if model is None else _asked(model, work=work)
    return kept_samples(
        [
            folder / "train.arrow"
            for source in taught
            if source.role == LIBRARY
            for folder in source.folders
        ],
        settings=config.retention,
        forms=config.synthesis.paraphrases,
        probes=config.split.num_out_of_scope_probes,
        seed=config.library.seed,
        base=base,
    )


def _asked(model: Base, *, work: Work) -> BaseReplies:
    """The base model's answers and texts, each in a file by what they depend on."""
    retention, seed = work.config.retention, work.config.library.seed

    def asked(ask: Ask, *settings: object, what: str) -> Asked:
        cache = work.cache_dir / "answers" / f"{fingerprint(model.key, *settings)}.jsonl"
        return Asked(ask=ask, cache=cache, log=work.about(f"base: {what}"))

    def answers(most: int) -> Asked:
        what = f"answers of at most {most} tokens"
        return asked(model.ask(answer_tokens=most), most, what=what)

    return BaseReplies(
        answers=answers(retention.max_answer_tokens),
        long_answers=answers(retention.max_long_answer_tokens),
        texts=asked(
            model.continue_texts(text_tokens=retention.max_text_tokens, seed=seed),
            "texts",
            retention.max_text_tokens,
            seed,
            what="texts",
        ),
    )
