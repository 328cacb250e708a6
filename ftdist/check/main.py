"""Check whether a model and a library fit each other.

    python -m ftdist.check.main CONFIG.yaml PAGE.html (all|some) OUT.json

writes a page for people to PAGE.html, and the report, or the error, to OUT.json.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ftdist.check.end_of_turn import EndsCheck
from ftdist.check.findings import Finding, Report
from ftdist.check.lengths import LengthCheck
from ftdist.check.page import write_page
from ftdist.check.reading import RowReader
from ftdist.check.roles import template_findings
from ftdist.check.samples import SampleCheck
from ftdist.check.small_model import model_findings
from ftdist.check.template import TemplateCheck
from ftdist.check.thoughts import ThoughtCheck
from ftdist.check.vocabulary import VocabularyCheck, context_finding
from ftdist.config.saved_config import load_config
from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import AUTO, resolved
from ftdist.data.chat_encoder import ChatEncoder
from ftdist.errors import FtdistError, ModelError
from ftdist.io.child_result import write_result
from ftdist.plan.model_info import embedding_rows, untrainable
from ftdist.plan.recipe import max_sequence_length
from ftdist.prepare.base_model import check_model, load_tokenizer
from ftdist.prepare.data_files import SourceFiles
from ftdist.prepare.mixture import find_source_files
from ftdist.prepare.skipped_files import skipped_lines

AllRows = Literal["all", "some"]


def check(config: RunConfig, *, all_rows: bool) -> Report:
    """Check a model folder and the sources of a config. The model's weights are not needed.

    Args:
        config: of a run.
        all_rows: whether to read every row, not a sample of them.

    Raises:
        DataError: a source is not there, or holds nothing to read.
        ModelError: the model has no tokenizer that can be read.
    """
    sources = find_source_files(config)
    tokenizer = load_tokenizer(config.model)
    report = Report(model=config.model.path, library=config.library.path)
    report.findings.extend(_of_model(config))
    report.findings.extend(_skipped(sources))
    is_own = not tokenizer.chat_template
    try:
        encoder = ChatEncoder(
            tokenizer,
            system_prompt=config.library.system_prompt,
            reasoning=config.library.reasoning,
        )
    except FtdistError as error:
        report.findings.append(
            Finding(
                check="chat template", status="failed", message=error.problem, remedy=error.remedy
            )
        )
        return report
    report.findings.extend(template_findings(tokenizer, encoder, is_own=is_own))
    return _check_rows(config, report, sources, tokenizer, encoder=encoder, all_rows=all_rows)


def _skipped(sources: Mapping[str, SourceFiles]) -> Iterator[Finding]:
    for line in skipped_lines(sources):
        yield Finding(
            check="files",
            status="warning",
            message=f"{line}.",
            remedy="move them elsewhere, or name the files to learn from.",
        )


def _check_rows(
    config: RunConfig,
    report: Report,
    sources: Any,
    tokenizer: Any,
    *,
    encoder: ChatEncoder,
    all_rows: bool,
) -> Report:
    folder = Path(config.model.path).expanduser()
    rows, positions = _model_sizes(folder)
    template = TemplateCheck(tokenizer, encoder, skips=config.library.on_invalid_row == "skip")
    thoughts = ThoughtCheck(config.library.reasoning)
    ends = EndsCheck(tokenizer, encoder, model=folder)
    vocabulary = VocabularyCheck(tokenizer, rows=rows)
    is_auto = config.batch.sequence_length == AUTO
    length = max_sequence_length(positions) if is_auto else resolved(config.batch.sequence_length)
    lengths = LengthCheck(config.library, sequence_length=length, is_auto=is_auto)
    samples = SampleCheck(tokenizer)
    reader = RowReader(encoder, sequence_length=length, all_rows=all_rows)
    for row in reader.read(sources):
        for each in (template, thoughts, ends, vocabulary, lengths, samples):
            each.add(row)
    for found in (template, thoughts, ends, vocabulary, lengths):
        report.findings.extend(found.findings())
    report.findings.append(
        context_finding(
            tokenizer, positions=positions, sequence_length=config.batch.sequence_length
        )
    )
    return Report(
        model=report.model,
        library=report.library,
        findings=report.findings,
        sources=lengths.figures(),
        samples=samples.shown(),
        all_rows=reader.has_all,
    )


def _of_model(config: RunConfig) -> Iterator[Finding]:
    """Whether ftdist can train the model, and packing and head on a small one of its kind."""
    folder = Path(config.model.path).expanduser()
    if not (folder / "config.json").is_file():
        yield Finding(
            check="model",
            status="warning",
            message=f"{folder} has no config.json: only the tokenizer is checked.",
            remedy="copy the model's config.json into the folder; weights are not needed.",
        )
        return
    try:
        check_model(config.model)
        for error in untrainable(folder):
            raise error
    except ModelError as error:
        yield Finding(check="model", status="failed", message=error.problem, remedy=error.remedy)
        return
    yield Finding(check="model", status="ok", message=f"{_architecture(folder)} can be trained.")
    yield from model_findings(folder, attention=config.model.attention, head=config.model.head)


def _text_config(folder: Path) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, trust_remote_code=False).get_text_config()


def _architecture(folder: Path) -> str:
    return str(_text_config(folder).model_type)


def _model_sizes(folder: Path) -> tuple[int | None, int | None]:
    """Rows of the embedding, from the weights if they are there, and positions; None: unknown."""
    try:
        config = _text_config(folder)
    except (OSError, ValueError):
        return None, None
    rows = embedding_rows(folder) or getattr(config, "vocab_size", None)
    return rows, getattr(config, "max_position_embeddings", None)


def main(arguments: Sequence[str]) -> int:
    """Check the model and library of a config file, and write page and report."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    config_file, page, rows, result = arguments

    def run() -> dict[str, Any]:
        config = load_config(Path(config_file))
        report = check(config, all_rows=rows == "all")
        write_page(report, Path(page), private=config.run.private)
        return report.to_values()

    return write_result(Path(result), run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
