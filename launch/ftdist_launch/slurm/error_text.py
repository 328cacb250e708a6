"""What SLURM's commands print about an error."""

import re


def clean_stderr(text: str) -> str:
    """A SLURM error message as one line without prefixes."""
    lines = [re.sub(r"^\w+: (error: )?", "", line.strip()) for line in text.splitlines()]
    message = "; ".join(dict.fromkeys(line for line in lines if line))
    return message[:500] or "no message"
