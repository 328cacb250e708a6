"""From sources to a curated library: read, select, build samples, add retention, publish.

Each stage caches its results under a fingerprint of its inputs, so an interrupted curation
continues, and one with some changed sources reads only those. The library depends only on sources,
settings and versions, never on the number of processes or the time.
"""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from ftdist.config.schema.curate import CurateConfig
from ftdist.errors import DataError, StorageError
from ftdist.inference.openai_client import OpenAiEndpoint
from ftdist.io.atomic_dir import remove_stale_dirs
from ftdist.io.hashing import fingerprint
from ftdist.io.progress import LogFn, count, report_progress
from ftdist.io.worker_pool import map_in_order, resolve_num_proc
from ftdist.library.base_model import BaseModel
from ftdist.library.check_config import check_curation
from ftdist.library.readers.discovery import FoundSource
from ftdist.library.retention.replay import (
    BasePrompters,
    CachedPrompter,
    RetentionSet,
    build_retention_set,
)
from ftdist.library.retention.response_cache import AnswerFn
from ftdist.library.stages.build_samples import (
    SampleBuildTask,
    build_samples,
    with_generated_qa,
)
from ftdist.library.stages.frequent_names import frequent_names
from ftdist.library.stages.generate import Generator
from ftdist.library.stages.manifest import CurationResult, SourceSamples
from ftdist.library.stages.publish import Published, os_error_reason, publish
from ftdist.library.stages.read import StageContext, check_invalid_rows, read_sources
from ftdist.library.stages.read_shard import CHAT_KINDS
from ftdist.library.stages.row_table import LIBRARY, ReadSource
from ftdist.library.stages.sample_settings import SampleSettings
from ftdist.library.stages.select import Selection, select_rows
from ftdist.library.stages.shared_values import shared_values
from ftdist.library.stages.unanswerable_samples import with_unanswerable
from ftdist.library.stages.validate_roles import find_refused_rows
from ftdist.library.stats import CurationStats
from ftdist.library.store.samples import SUFFIX


def curate(
    config: CurateConfig,
    *,
    model: BaseModel | None,
    endpoint: OpenAiEndpoint | None = None,
    log: LogFn,
) -> Published:
    """Make a library.

    Args:
        config: of the curation.
        model: counts tokens and answers prompts; None: words are counted.
        endpoint: writes questions, if `generator.backend=endpoint`.
        log: receives progress lines.

    Raises:
        ConfigError: settings that contradict each other.
        DataError: a source is not there, or has invalid rows that may not be skipped.
        StorageError: the library or the cache cannot be written.
    """
    sources = check_curation(config)
    context = StageContext(
        config=config,
        cache_dir=Path(config.work.cache_dir).expanduser().absolute(),
        num_proc=resolve_num_proc(config.work.num_proc),
        log=log,
    )
    try:
        return _curate(context, sources, model=model, endpoint=endpoint)
    except OSError as error:
        path = error.filename or context.cache_dir
        raise StorageError(
            f"{path} cannot be read or written: {os_error_reason(error)}.",
            remedy="free some space there and check its permissions, or set work.cache_dir to a "
            "folder of your own.",
        ) from error


def _curate(
    context: StageContext,
    sources: Sequence[tuple[FoundSource, str]],
    *,
    model: BaseModel | None,
    endpoint: OpenAiEndpoint | None,
) -> Published:
    config, cache_dir = context.config, context.cache_dir
    is_new = not cache_dir.exists()
    for folder in (cache_dir / "read", cache_dir / "samples", cache_dir):
        folder.mkdir(parents=True, exist_ok=True)
        remove_stale_dirs(folder)
    if is_new:  # a folder that was there may be shared, with a mode of its owner's choice
        cache_dir.chmod(0o700)
    read = read_sources(sources, context=context)
    encoder = None if model is None else model.encoder
    refused = {} if encoder is None else find_refused_rows(read, encoder=encoder)
    check_invalid_rows(read, config=config)
    rows = sum(source.stats.rows for source in read)
    context.log(f"curate: looking for duplicates among {count(rows, 'row')}")
    selection = select_rows(read, config=config, refused=refused)
    generator = _generator(context, model=model, endpoint=endpoint)
    samples = _build_samples(read, selection, generator=generator, context=context)
    if config.synthesis.unanswerable_questions and config.synthesis.passages:
        samples = with_unanswerable(samples, paraphrases=config.synthesis.paraphrases)
    result = CurationResult(
        config=config,
        sources=samples,
        retention=_retention(samples, model=model, context=context),
        found=[source for source, _ in sources],
        digests={shard.path: shard.digest for source in read for shard in source.shards},
        decontamination=selection.decontamination,
        model=model,
    )
    context.log("curate: writing the library")
    return publish(result, log=context.log)


def _generator(
    context: StageContext, *, model: BaseModel | None, endpoint: OpenAiEndpoint | None
) -> Generator | None:
    """The language model that writes questions; None: rules alone do."""
    settings = context.config.generator
    if settings.backend == "rules":
        return None
    if settings.backend == "base":
        assert model is not None
        ask, model_key = model.answers(settings.max_tokens), model.key
    else:
        assert endpoint is not None
        ask, model_key = endpoint.ask(), endpoint.key
    key = fingerprint(model_key, settings.max_tokens)
    return Generator(
        ask,
        key=key,
        cache=context.cache_dir / "answers" / f"{key}.jsonl",
        questions=settings.questions_per_fact,
        max_tokens=settings.max_tokens,
        log=context.log_as("written"),
    )


def _build_samples(
    read: Sequence[ReadSource],
    selection: Selection,
    *,
    generator: Generator | None,
    context: StageContext,
) -> list[SourceSamples]:
    """Make samples of the selected rows, a shard per worker process."""
    library, replay = _build_settings(read, selection, context)
    tasks = {
        source.name: [
            SampleBuildTask(
                shard=shard,
                selection=rows,
                source=source.name,
                settings=library if source.role == LIBRARY else replay,
            )
            for shard, rows in zip(source.shards, selection.by_source[source.name], strict=True)
        ]
        for source in read
    }
    if generator is not None:
        for source in read:
            if source.role == LIBRARY:
                tasks[source.name] = [
                    with_generated_qa(task, generator=generator) for task in tasks[source.name]
                ]
        generator.check_answers()
    all_tasks = list(chain.from_iterable(tasks.values()))
    context.log(f"curate: building samples of {count(len(all_tasks), 'shard')}")
    results = report_progress(
        map_in_order(build_samples, all_tasks, processes=context.num_proc, on_crash=_failed_task),
        sizes=[0 if task.is_built else task.shard.size for task in all_tasks],
        log=context.log_as("samples"),
    )
    for source in read:
        for _ in tasks[source.name]:
            source.stats.add(next(results))
    return [
        SourceSamples(
            name=source.name,
            role=source.role,
            stats=source.stats,
            folders=tuple(task.folder for task in tasks[source.name]),
            held_out_rows=sum(int(task.selection.held_out.sum()) for task in tasks[source.name]),
        )
        for source in read
    ]


def _build_settings(
    read: Sequence[ReadSource], selection: Selection, context: StageContext
) -> tuple[SampleSettings, SampleSettings]:
    """For the library's sources, and for replay sources, which are used as written."""
    config = context.config
    synthesis, split = config.synthesis, config.split
    documents = sum(shard.kind not in CHAT_KINDS for source in read for shard in source.shards)
    chats = sum(
        int((rows.keep & ~rows.held_out).sum())
        for source in read
        if source.role == LIBRARY
        for shard, rows in zip(source.shards, selection.by_source[source.name], strict=True)
        if shard.kind in CHAT_KINDS
    )
    of_chats = split.num_probes // 2 if documents else split.num_probes
    names = frequent_names(read, products=config.retention.product_names)
    shared: tuple[str, ...] = ()
    if synthesis.extract_questions and documents:
        log = context.log_as("values of things")
        shared = shared_values(read, selection, processes=context.num_proc, log=log)

    def settings(*, is_library: bool) -> SampleSettings:
        return SampleSettings(
            passages=synthesis.passages or not is_library,
            passage_words=synthesis.passage_words,
            questions=synthesis.extract_questions and is_library,
            cloze=synthesis.cloze_questions,
            paraphrases=synthesis.paraphrases if is_library else 1,
            quote_words=synthesis.quote_words,
            cite=synthesis.cite_sources,
            probes=-(-split.num_probes // max(1, documents)) if is_library else 0,
            one_conversation_in=-(-chats // of_chats) if is_library and of_chats else 0,
            names=names,
            shared_values=shared,
            ngram=split.decontamination_ngram,
            seed=config.library.seed,
        )

    return settings(is_library=True), settings(is_library=False)


def _failed_task(task: SampleBuildTask) -> CurationStats:
    raise DataError(
        f"The process that makes samples of {task.shard.name} died.",
        remedy="leave the file out, and report it.",
    )


def _retention(
    samples: Sequence[SourceSamples], *, model: BaseModel | None, context: StageContext
) -> RetentionSet:
    """Replay and out-of-scope samples with the base model's own answers."""
    config = context.config
    return build_retention_set(
        [
            folder / f"train{SUFFIX}"
            for source in samples
            if source.role == LIBRARY
            for folder in source.folders
        ],
        settings=config.retention,
        forms=config.synthesis.paraphrases,
        probes=config.split.num_out_of_scope_probes,
        seed=config.library.seed,
        base=None if model is None else _base_prompters(model, context=context),
    )


def _base_prompters(model: BaseModel, *, context: StageContext) -> BasePrompters:
    """The base model with its answers cached, in a file per setting."""
    retention, seed = context.config.retention, context.config.library.seed

    def prompter(ask: AnswerFn, *settings: object, what: str) -> CachedPrompter:
        cache = context.cache_dir / "answers" / f"{fingerprint(model.key, *settings)}.jsonl"
        return CachedPrompter(ask=ask, cache=cache, log=context.log_as(f"base model: {what}"))

    def answers(max_tokens: int) -> CachedPrompter:
        what = f"answers of at most {max_tokens} tokens"
        return prompter(model.answers(max_tokens), max_tokens, what=what)

    return BasePrompters(
        answers=answers,
        texts=prompter(
            model.texts(retention.max_text_tokens, seed),
            "texts",
            retention.max_text_tokens,
            seed,
            what="texts",
        ),
    )
