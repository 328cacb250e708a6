"""Keys of rows and messages: those that are used, those that change what is learned, the rest."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ftdist.library.readers.roles import role_of
from ftdist.library.readers.values import flag, is_empty, shown
from ftdist.library.schema import BadRowError, Note

MESSAGES = ("messages", "conversations", "conversation", "chat_messages", "dialog", "dialogue",
            "turns", "chat", "items", "thread_messages")  # fmt: skip
QUESTIONS = ("instruction", "question", "q", "prompt", "query")
ANSWERS = ("output", "answer", "a", "response", "completion", "reply", "chosen")
CONTEXTS = ("input", "context", "contexts", "passage", "passages", "background", "knowledge")
SYSTEMS = ("system", "system_prompt", "system_message")
CHOICES = ("choices", "options")

FORMAT_KEYS = frozenset(
    (*MESSAGES, *QUESTIONS, *ANSWERS, *CONTEXTS, *SYSTEMS, *CHOICES, "text", "history", "rejected")
)
"""Keys that decide the format of a row."""

_LEARN = {"weight", "loss", "train", "trainable", "trained", "training", "is_trainable", "learn",
          "learnable", "loss_mask", "loss_weight", "loss_scale", "train_on", "train_on_turn",
          "train_on_message", "compute_loss", "calculate_loss", "use_loss", "with_loss", "in_loss",
          "has_loss", "include_in_loss", "output_with_loss", "supervise", "supervised",
          "sample_weight", "learning_weight", "assistant_mask", "assistant_masks", "label_mask",
          "token_mask", "keep_loss", "loss_on", "is_target", "target_mask"}  # fmt: skip
_SKIP = {"masked", "is_masked", "ignore", "ignored", "no_loss", "skip_loss", "skip", "skipped",
         "exclude", "excluded", "mask_loss", "no_train", "do_not_train", "dont_train", "frozen",
         "ignore_loss", "context_only"}  # fmt: skip
"""Keys with which other trainers say that something is, or is not, to be learned."""

_GOOD = {"label", "labels", "kto_tag", "desirable", "is_desirable", "accepted", "is_accepted",
         "is_chosen", "approved", "is_approved", "correct", "is_correct", "is_good", "good",
         "preferred", "is_preferred", "thumbs_up", "chosen", "valid", "is_valid"}  # fmt: skip
_BAD = {"rejected", "is_rejected", "bad", "is_bad", "deleted", "is_deleted", "wrong", "is_wrong",
        "incorrect", "is_incorrect", "thumbs_down", "undesirable", "invalid"}  # fmt: skip
"""Keys with which preference data says whether an answer is a good one."""

_NOT_TEXT = ("tools", "functions", "tool_calls", "function_call", "reasoning_content", "reasoning",
             "reasoning_details", "thinking", "thoughts", "thought", "image", "images", "image_url",
             "audio", "audios", "video", "videos")  # fmt: skip

_METADATA = {"id", "uuid", "guid", "idx", "index", "name", "hash", "sha256", "source", "url",
             "dataset", "split", "lang", "language", "license", "date", "time", "timestamp",
             "created", "updated", "type", "object", "status", "version"}  # fmt: skip
_MAX_METADATA = 200
"""Characters of the longest value that is metadata; longer ones may be text to learn."""


def refuse_unsupported(members: Mapping[str, Any], *, where: str) -> None:
    """Refuse what cannot be shown to a model as text.

    Raises:
        BadRowError: there is a tool call, a thought or a picture.
    """
    for key in _NOT_TEXT:
        if key in members and not is_empty(members[key]):
            raise BadRowError(f"has {key}{where}, which is not supported")
    if members.get("channel") not in (None, "final"):
        raise BadRowError(f"has channel {members['channel']!r}{where}, which is not supported")


def refuse_bad_answer(row: Mapping[str, Any]) -> None:
    """Refuse a row whose answer is marked as one that should not be given.

    Raises:
        BadRowError: the row says so.
    """
    for key in row.keys() & (_GOOD | _BAD):
        if flag(row[key]) is (key in _BAD):
            raise BadRowError(
                f"has {key} {row[key]!r}, which marks its answer as a bad one",
                "Remove the row, or the key if it means something else.",
            )


def is_learned(members: Mapping[str, Any], *, where: str) -> bool | None:
    """Whether the keys of a row or message say that it is learned; None: they do not say.

    Raises:
        BadRowError: they say how much, or something that is not clear.
    """
    answers: set[bool] = set()
    for key in members.keys() & (_LEARN | _SKIP):
        value = flag(members[key])
        if value is None and not is_empty(members[key]):
            raise BadRowError(
                f"has {key} {shown(members[key])}{where}, and all answers have the same weight",
                "Write 1 or remove it; library.weights gives sources a weight.",
            )
        if value is not None:
            answers.add(value is (key in _LEARN))
    mask = members.get("mask")
    is_of_role = isinstance(mask, str) and role_of(mask) in ("user", "system")
    if not is_empty(mask) and not is_of_role:
        raise BadRowError(
            f"has mask {shown(mask)}{where}, which tools understand differently", "Remove it."
        )
    return all(answers) if answers else None


def describe(members: Mapping[str, Any]) -> str:
    """The keys that say whether something is learned, with their values."""
    flags = (key for key in members if key in _LEARN | _SKIP and not is_empty(members[key]))
    return ", ".join(f"{key} {shown(members[key])}" for key in flags)


def per_message(row: dict[str, Any], *, number: int) -> list[bool | None]:
    """Whether each message is learned, from lists of flags, which are taken out of the row."""
    learned: list[bool | None] = [None] * number
    for key in [key for key in row if key in _LEARN | _SKIP and isinstance(row[key], list)]:
        flags = [flag(value) for value in row[key]]
        if len(flags) == number and None not in flags:
            learned = [value is (key in _LEARN) for value in flags]
            del row[key]
    return learned


def note_unused(
    members: Mapping[str, Any], *, used: Collection[str], kind: str, notes: list[Note]
) -> None:
    """Note each key that was not used and may matter; identifiers and dates pass.

    Args:
        members: of a row or message.
        used: keys that were used.
        kind: `key` or `key of messages`.
        notes: receives the notes.
    """
    for key, value in members.items():
        if key not in used and not is_empty(value) and not _is_metadata(key, value):
            notes.append(Note(f"unused {kind}: {key[:40]}", shown(value)))


def _is_metadata(key: str, value: Any) -> bool:
    if key in _LEARN | _SKIP | _GOOD and flag(value) is not None:
        return True  # it says what happens anyway, otherwise the row would be refused
    is_named = key in _METADATA or key.endswith(("_id", "_at", "_url"))
    return is_named and not isinstance(value, bool) and len(str(value)) <= _MAX_METADATA


def names(keys: Iterable[str]) -> str:
    """Keys as a sentence lists them."""
    listed = list(keys)
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
