"""The stage of a run that one process works on, such as the comparison."""

from ftdist.rundir import RunDir


def running_stage(run: RunDir) -> str | None:
    """The stage that began and recorded no end, such as `compare`; None: training, or none."""
    stage = None
    for event in run.read_events():
        match event.get("event"):
            case "stage_started":
                stage = str(event["stage"])
            case "stage_finished" | "stage_interrupted" | "attempt_started":
                stage = None
    return stage


def continue_command(run: RunDir, stage: str | None) -> str:
    """The command that continues a run that was stopped in a stage; None: in training."""
    if run.expert.is_file():
        return f"ftdist expert {run.cli_name}"
    verb = stage if stage in ("export", "compare", "merge") else "resume"
    return f"ftdist {verb} {run.cli_name}"
