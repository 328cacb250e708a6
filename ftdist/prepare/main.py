"""Tokenise and pack the library and extra sources of a config into a cache shared by all runs.

The cache key is a fingerprint of everything that decides the packed bytes: a changed page, template
or length makes another folder. Folders appear atomically, so any number of processes may prepare
the same library.

    python -m ftdist.prepare.main CONFIG.yaml OUT.json

writes the facts of the packed library, or the error, to OUT.json.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ftdist.config.saved_config import load_config
from ftdist.config.schema import ModelConfig, RunConfig
from ftdist.config.schema.types import AUTO
from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.packed_checksums import cache_damage, write_checksums
from ftdist.data.packed_dataset import CARD, PackedLibrary, source_folder
from ftdist.errors import DataError, ModelError, StorageError
from ftdist.io.atomic_dir import atomic_dir, remove_stale_dirs
from ftdist.io.child_result import write_result
from ftdist.io.hashing import fingerprint
from ftdist.library.store.dataset import LIBRARY
from ftdist.plan.dataset_info import PackedDatasetInfo
from ftdist.plan.model_info import embedding_rows, read_model_info
from ftdist.plan.recipe import (
    USUAL_LENGTH,
    choose_sequence_length,
    limit_retention,
    max_sequence_length,
)
from ftdist.prepare.base_model import check_model, load_tokenizer
from ftdist.prepare.crashing_row import CrashingRowError
from ftdist.prepare.data_files import SourceFiles
from ftdist.prepare.journal import JOURNAL
from ftdist.prepare.mixture import find_source_files, kl_source_names, weighed
from ftdist.prepare.skipped_files import skipped_lines
from ftdist.prepare.source import SourceBuilder
from ftdist.prepare.tokenize_shard import BuildSettings
from ftdist.text.terminal import plain

FORMAT = 10
"""Raised whenever the same input would be packed or written in another way."""

MEASURED_BYTES = 64 * 2**20
"""Size of the sources up to which `batch.sequence_length=auto` reads them to choose a length. They
are then tokenised twice; larger ones get the usual length."""


def prepare(config: RunConfig) -> PackedDatasetInfo:
    """Tokenise and pack the library of a config, unless the cache has it.

    Returns:
        the facts, with the weights of this config, and the sequence length if that was `auto`.

    Raises:
        DataError: a source is not there, empty, or holds a row that cannot be used.
        ModelError: the model's tokenizer cannot be read.
        StorageError: the cache cannot be written or read.
    """
    sources = find_source_files(config)
    for line in skipped_lines(sources):
        sys.stderr.write(f"prepare: {plain(line)}\n")
    check_model(config.model)
    length = config.batch.sequence_length
    if length != AUTO:
        return _prepare(config, sources, sequence_length=length)
    positions = _positions(config.model)
    longest = max_sequence_length(positions)
    if sum(_size(file) for files in sources.values() for file in files.files) > MEASURED_BYTES:
        return _prepare(config, sources, sequence_length=min(USUAL_LENGTH, longest))
    library = _prepare(config, sources, sequence_length=longest)
    length = choose_sequence_length(config, library=library, max_position=positions)
    return library if length == longest else _prepare(config, sources, sequence_length=length)


def _prepare(
    config: RunConfig, sources: dict[str, SourceFiles], *, sequence_length: int
) -> PackedDatasetInfo:
    """The packed library of a config with this sequence length."""
    kl_sources = kl_source_names(config, sources)
    encoder = ChatEncoder(
        load_tokenizer(config.model),
        system_prompt=config.library.system_prompt,
        reasoning=config.library.reasoning,
        embedding_rows=embedding_rows(Path(config.model.path).expanduser()),
    )
    settings = BuildSettings(
        sequence_length=sequence_length,
        overlong=config.library.overlong,
        on_invalid_row=config.library.on_invalid_row,
        held_out=config.library.held_out_fraction,
        seed=config.run.seed,
        teacher=config.library.context_distillation > 0,
    )
    key = _key(sources, encoder=encoder, settings=settings)
    folder = Path(config.library.cache_dir).expanduser().absolute() / key
    damage = cache_damage(folder)
    if damage:
        sys.stderr.write(f"prepare: {folder} is damaged ({'; '.join(damage)}): packing it again\n")
    if damage or not (folder / CARD).is_file():
        _build(
            folder,
            sources=sources,
            encoder=encoder,
            settings=settings,
            private=config.run.private,
            replace=bool(damage),
        )
    facts = PackedLibrary.open(folder).facts
    if settings.teacher and not any(source.distilled_tokens for source in facts.sources):
        sys.stderr.write(
            "prepare: no sample has a context: library.context_distillation=0 is the same\n"
        )
    library = replace(
        facts,
        context_distillation=config.library.context_distillation,
        sources=weighed(
            sources,
            facts.sources,
            kl_sources=kl_sources,
            kl_weight=config.library.kl_to_base_weight,
        ),
    )
    return limit_retention(config, library=library)


def _positions(model: ModelConfig) -> int | None:
    """Maximum positions of the model; None: unknown, as with a tokenizer alone."""
    try:
        return read_model_info(Path(model.path).expanduser()).max_position
    except ModelError:
        return None


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # its reader says what is wrong


def main(arguments: Sequence[str]) -> int:
    """Prepare the library of a config file; arguments: that file, and the file for the result."""
    config_file, result = map(Path, arguments)
    return write_result(result, lambda: asdict(prepare(load_config(config_file))))


def _key(sources: dict[str, SourceFiles], *, encoder: ChatEncoder, settings: BuildSettings) -> str:
    """Fingerprint of everything that decides a packed library's bytes; weights do not."""
    content = [
        (name, files.origin, files.fingerprint, asdict(files.rows))
        for name, files in sources.items()
    ]
    return fingerprint(FORMAT, content, encoder.fingerprint(), asdict(settings))


def _build(
    folder: Path,
    *,
    sources: dict[str, SourceFiles],
    encoder: ChatEncoder,
    settings: BuildSettings,
    private: bool,
    replace: bool,
) -> None:
    """Write the packed library atomically; the first of several processes wins.

    It resumes from what a process has written that was killed or ran out of space or memory.
    """
    try:
        with atomic_dir(folder, private=private, replace=replace, resume=True) as tmp:
            remove_stale_dirs(folder.parent, resumable=True)
            try:
                _write(tmp, folder, sources=sources, encoder=encoder, settings=settings)
            except CrashingRowError:
                raise
            except DataError:
                shutil.rmtree(tmp, ignore_errors=True)  # once corrected, it has another key
                raise
    except OSError as error:
        raise StorageError(
            f"The packed library cannot be written to {folder.parent}: {error}.",
            remedy="free some space there, or set library.cache_dir to a writable folder.",
        ) from error


def _write(
    tmp: Path,
    folder: Path,
    *,
    sources: dict[str, SourceFiles],
    encoder: ChatEncoder,
    settings: BuildSettings,
) -> None:
    """Write to `tmp` the packed library that will be `folder`."""
    facts, cards = [], []
    for number, (name, files) in enumerate(sources.items()):
        source = tmp / source_folder(number)
        source.mkdir(exist_ok=True)
        held_out = settings.held_out if name == LIBRARY else 0.0
        builder = SourceBuilder(
            name=name,
            folder=source,
            encoder=encoder,
            settings=replace(settings, held_out=held_out),
        )
        source_facts, card = builder.build(files)
        facts.append(source_facts)
        cards.append(card)
    info = PackedDatasetInfo(
        path=str(folder),
        key=folder.name,
        checksum=write_checksums(tmp),
        sources=tuple(facts),
        sequence_length=settings.sequence_length,
        fixed_opening=not any(card["other_openings"] for card in cards),
    )
    card = {
        "format": FORMAT,
        "settings": asdict(settings),
        "facts": asdict(info),
        "sources": cards,
        "chat_template": encoder.template,
    }
    (tmp / CARD).write_text(json.dumps(card, indent=2), encoding="utf-8")
    for journal in tmp.glob(f"*/{JOURNAL}"):
        journal.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
