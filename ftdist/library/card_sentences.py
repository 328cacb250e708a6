"""Sentences of a library's card: what its probes are, what is held out, what was added.

The page and the terminal show the same ones.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ftdist.io.html import number
from ftdist.library.synthesis.probe_selection import Form

MIN_PROBES = 20
"""Fewer fact probes cannot tell a good model from a bad one."""

_FORMS: dict[Form, str] = {
    "reworded": "in other words",
    "reordered": "with its sentences in another order",
    "shortened": "as typed into a search box",
    "prefixed": "with a phrase before or after a trained wording",
}
_ROLES = {"replay": "replay", "out_of_scope": "out-of-scope"}


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number with its noun, such as "1 row" or "2 rows"."""
    return f"{number(count)} {noun if count == 1 else plural or f'{noun}s'}"


def held_out_sentence(card: Mapping[str, Any]) -> str:
    """How much is held out."""
    what = counted(
        card["split"]["held_out"], "document or conversation", "documents and conversations"
    )
    return f"Held out: {what}."


def probes_sentence(card: Mapping[str, Any]) -> str:
    """How many probes there are."""
    probes = card["probes"]
    return (
        f"Probes: {number(probes['fact'])} of facts, {number(probes['out_of_scope'])} out of "
        f"scope. None shares {card['split']['words']} words in a row with training."
    )


def probe_forms_sentence(card: Mapping[str, Any]) -> str:
    """What a fact probe is; "" without any."""
    probes = card["probes"]
    if not probes["fact"]:
        return ""
    forms = ", ".join(
        f"{number(probes['forms'][form])} {text}"
        for form, text in _FORMS.items()
        if form in probes["forms"]
    )
    return (
        "A fact probe asks what training also asks, in a wording that training does not contain"
        f"{f' ({forms})' if forms else ''}. It counts as right if the answer contains the probe's "
        "keys."
    )


def without_probe_sentence(card: Mapping[str, Any]) -> str:
    """How many of the questions give no probe, and why; "" if each gives one."""
    facts, probes = card["facts"], card["probes"]
    reasons = [
        (facts.get("facts without a key", 0), "nothing short stands out in the answer"),
        (
            facts.get("facts without a wording", 0) + probes["dropped"],
            "training contains every wording",
        ),
    ]
    given = [(times, why) for times, why in reasons if times]
    listed = "; ".join(
        why if len(given) == 1 else f"{number(times)} because {why}" for times, why in given
    )
    total = sum(times for times, _ in reasons)
    verb = "has" if total == 1 else "have"
    return f"{counted(total, 'question')} {verb} no probe: {listed}." if listed else ""


def wordings_sentence(card: Mapping[str, Any]) -> str:
    """How many wordings a question is trained in, and how alike they are; "" without any."""
    if not (found := card.get("wordings")):
        return ""
    return (
        f"{counted(found['questions'], 'question')} in {found['per_question']:.1f} wordings each: "
        f"two of one question share {100 * found['word_overlap']:.0f} % of their words, and "
        f"{100 * found['ngram_overlap']:.0f} % of a wording's four-word sequences occur in another."
    )


def added_sentence(card: Mapping[str, Any]) -> str:
    """What was added to what the documents say; "" if nothing was."""
    counts: dict[str, int] = {}
    for source in card["sources"]:
        if source["role"] in _ROLES:
            samples = card["sizes"][source["name"]]["samples"]
            counts[source["role"]] = counts.get(source["role"], 0) + samples
    parts = [
        counted(counts[role], f"{name} sample") for role, name in _ROLES.items() if role in counts
    ]
    if unanswerable := card["made_by"].get("unanswerable"):
        parts.append(f"{counted(unanswerable, 'question')} that the documents do not answer")
    listed = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + "".join(parts[-1:])
    return f"Added: {listed}." if listed else ""


def _written_note(card: Mapping[str, Any]) -> Iterator[str]:
    """That most questions of a language model were refused; none without one."""
    refused = sum(
        rule["count"]
        for name, rule in card["rules"].items()
        if name.startswith("written question refused")
    )
    used = sum(card["made_by"].get(kind, 0) for kind in ("written", "written wording"))
    if refused > used:
        yield (
            f"Of {counted(refused + used, 'question')} that the language model wrote, "
            f"{number(used)} could be used; the card has the reasons. Let a larger one write them "
            "(generator.model)."
        )


def notes(
    card: Mapping[str, Any], *, conversations: int, fractions: tuple[float, float]
) -> Iterator[str]:
    """What the library lacks, a sentence each, with the remedy.

    Args:
        card: the manifest, without its notes.
        conversations: of the library's sources.
        fractions: of conversations and of documents to hold out.
    """
    probes, roles = card["probes"]["fact"], {source["role"] for source in card["sources"]}
    if probes < MIN_PROBES:
        few = "There are no fact probes" if not probes else f"Only {counted(probes, 'fact probe')}"
        yield (
            f"{few}; results of fewer than {MIN_PROBES} are mostly noise. Let a language model "
            "write questions (generator.backend=endpoint), or set eval.probes to your own."
        )
    yield from _written_note(card)
    if not card["split"]["held_out"]:
        reason = _why_nothing_is_held_out(card, conversations=conversations, fractions=fractions)
        yield f"Training will report no held-out loss: {reason}"
    if "replay" not in roles:
        yield (
            "No replay: the model may lose general knowledge. Set retention=recommended with "
            "model.path, or retention.replay_sources to general chat and text."
        )
    if "out_of_scope" not in roles:
        yield (
            "No out-of-scope samples: the model may answer questions about other things from this "
            "library. Set retention=recommended with model.path."
        )
    if card["settings"]["model"]["path"] is None:
        yield "Lengths are in words; set model.path to count tokens."


def _why_nothing_is_held_out(
    card: Mapping[str, Any], *, conversations: int, fractions: tuple[float, float]
) -> str:
    if moved := card["split"]["moved_back"]:
        verb = "was" if moved == 1 else "were"
        return (
            f"{number(moved)} {verb} chosen, but share {card['split']['words']} words in a row "
            "with training and went back to it."
        )
    if fractions == (0, 0):
        return "split.held_out_conversations and split.held_out_documents are 0."
    if conversations:
        return (
            f"{counted(conversations, 'conversation')} are too few; ftdist holds some out from 10 "
            "of a source on."
        )
    return (
        "there is no conversation to hold out, and documents are held out only with "
        "split.held_out_documents, because the model would not learn their facts."
    )
