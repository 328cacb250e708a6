"""Forms of questions and answers about a thing in the plural."""

import re

_BEFORE_IT = "[Aa]re|[Dd]o|[Ww]ere|[Hh]ave|can|must|should|may|will"


def in_plural(form: str) -> str:
    """A form whose verbs and pronouns agree with a thing in the plural."""
    form = re.sub(
        r"\b([Ii])s (?=\{[xX]\}|it\b(?! true))", lambda m: "Are " if m[1] == "I" else "are ", form
    )
    form = re.sub(r"\b([Dd])oes (?=\{[xX]\}|it\b(?! take))", lambda m: f"{m[1]}o ", form)
    form = re.sub(r"(?<!of )(?<!on )(?<!for )(?<!in )(\{[xX]\}|\bit) is\b", r"\1 are", form)
    form = re.sub(r"(\{[xX]\}|\bit) (?:has)\b", r"\1 have", form)
    form = re.sub(r"(\{[xX]\}|\bit) was\b", r"\1 were", form)
    form = re.sub(r"\b([Ww])as (?=\{x\}|it\b)", r"\1ere ", form)
    form = re.sub(r"\b([Hh])as (?=\{x\}|it\b)", r"\1ave ", form)
    form = re.sub(r"\bits\b", "their", form)
    form = re.sub(rf"\b({_BEFORE_IT}) it\b(?! true)", r"\1 they", form)
    form = re.sub(r"\bit(?= (?:are|have|were|last|still)\b)", "they", form)
    form = re.sub(r"\bit (go|break|wear|need)(?:e?s)\b", r"they \1", form)
    return re.sub(r"\bit\b(?! take| true)", "them", form)
