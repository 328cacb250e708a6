"""`ftdist export`: write the tuned model as a Hugging Face folder."""

from collections.abc import Sequence

from ftdist_launch.local.supervisor import exported_step
from ftdist_launch.run_config import read_config
from ftdist_launch.serving.backends import find_program
from ftdist_launch.serving.gguf import TYPES, convert, find_converter
from ftdist_launch.setup.preflight import raise_together
from ftdist_launch.setup.run_setup import read_plan
from ftdist_launch.setup.stage_preflight import export_missing

from ftdist.api.export import export_run
from ftdist.api.jobs import Submitted
from ftdist.cli.commands import serve
from ftdist.cli.common import RunArguments, RunParser, log, print_json, print_result
from ftdist.cli.exit_messages import report_stage
from ftdist.cli.progress import supervise

DESCRIPTION = """\
Export a run's best checkpoint (the newest if none was evaluated in training) as a Hugging Face
model folder, R/export: safetensors, tokenizer, chat template, model card. The export is reloaded
and its logits verified. With --format gguf, also convert it to R/gguf with llama.cpp's converter,
with a Modelfile for Ollama, and compare its answers with those of `ftdist compare`."""


def main(arguments: Sequence[str]) -> int:
    """Export a run's tuned model.

    Raises:
        FtdistError: there is no such run, or it has no checkpoint.
    """
    parser = RunParser("export", description=DESCRIPTION)
    parser.add_argument("--format", choices=("hf", "gguf"), default="hf", help="[hf]")
    parser.add_argument("--gguf-type", choices=TYPES, default="auto", help="dtype of gguf [auto]")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parsed = parser.parse_run(arguments)
    if parsed.flags.format == "gguf":
        return _export_gguf(parsed)
    return _export_hf(parsed)


def _export_hf(parsed: RunArguments) -> int:
    run = parsed.run
    ended = export_run(run, parsed.overrides, supervise=supervise, log=log)
    if isinstance(ended, Submitted):
        if parsed.flags.json:
            print_json({"folder": run.export, "job": ended.job})
            return 0
        behind = f", after job {', '.join(ended.after)}" if ended.after else ""
        print_result(f"Run {run.name}: job {ended.job} exports it to {run.export}{behind}.")
        return 0
    if ended.outcome != "done":
        return report_stage(ended, run=run, verb="export")
    if parsed.flags.json:
        print_json({"folder": run.export, "step": exported_step(run)})
        return 0
    step = f"step {exported_step(run)} of {read_plan(run).steps}"
    print_result(f"The tuned model of run {run.name} ({step}) is in {run.export}.")
    return 0


def _export_gguf(parsed: RunArguments) -> int:
    """Convert the export to GGUF, after making it where there is none."""
    run = parsed.run
    find_converter()
    if not (run.export / "config.json").is_file() and (code := _export_hf(parsed)):
        return code
    raise_together(list(export_missing(run, verb="convert")))
    system_prompt = read_config(run).library.system_prompt
    log(f"Converting {run.export} to GGUF.")
    file = convert(run, dtype=parsed.flags.gguf_type, system_prompt=system_prompt)
    print_result(
        f"{file} is for llama.cpp; for Ollama: `ollama create {run.name.lower()} -f "
        f"{run.gguf / 'Modelfile'}`."
    )
    if find_program("llama-server") is None:
        log("Its answers were not verified: llama-server of llama.cpp is not on the PATH.")
    elif not (run.report / "answers.jsonl").is_file():
        log(f"Its answers were not verified: run {run.name} has not been compared.")
    elif serve.main([str(run.root), "--gguf", "--verify"]):
        log(f"Warning: {file} exists, but answers worse than {run.export}.")
    return 0
