"""Keys of rows and messages: those that are used, those that change what is learned, the rest."""

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from ftdist.library.readers.rows.chats.roles import role_of
from ftdist.library.readers.rows.values import flag, is_empty, shown
from ftdist.library.schema import BadRowError, Note

MESSAGES = ("messages", "conversations", "conversation", "chat_messages", "dialog", "dialogue",
            "turns", "chat", "items", "contents")  # fmt: skip
QUESTIONS = ("instruction", "question", "q", "prompt", "query")
ANSWERS = ("output", "answer", "answers", "a", "response", "completion", "reply", "chosen")
CONTEXTS = ("input", "context", "contexts", "passage", "passages", "background", "knowledge")
SYSTEMS = ("system", "system_prompt", "system_message")
CHOICES = ("choices", "options")

FORMAT_KEYS = frozenset(
    (*MESSAGES, *QUESTIONS, *ANSWERS, *CONTEXTS, *SYSTEMS, *CHOICES, "text", "history", "rejected")
)
"""Keys that decide the format of a row."""

_OF_LIBRARIES = frozenset({"made_by", "doc_id"})
"""Keys of each row of a curated library, beside those of other rows."""

_LEARN = {"weight", "loss", "train", "trainable", "trained", "training", "learn", "learned",
          "learnable", "learning", "supervise", "supervised", "supervision", "backprop",
          "gradient", "grad", "optimize", "sft", "finetune", "include", "included"}  # fmt: skip
_SKIP = {"masked", "ignore", "ignored", "skip", "skipped", "exclude", "excluded", "frozen",
         "detach", "detached"}  # fmt: skip
_NOT = {"no", "not", "dont", "without"}
"""Words in keys with which other trainers say that something is, or is not, to be learned."""

_OF_ROWS = {"weight", "sample_weight", "loss_weight", "loss_scale", "loss_mask", "train",
            "training", "trainable", "is_trainable", "learn", "loss", "masked", "ignore",
            "ignored", "skip", "skipped", "exclude", "excluded", "no_train", "do_not_train",
            "no_loss", "skip_loss", "train_mask", "label_mask", "target_mask", "token_mask",
            "assistant_mask", "assistant_masks", "mask"}  # fmt: skip
"""Keys of rows that mean it; other columns, such as `weight_kg`, may contain these words."""

_UNCLEAR = {"mask", "masks", "detail", "details"}
"""Words that tools understand differently, or that speak of parts of a message."""

_OF_MASKS = {"loss", "train", "label", "labels", "assistant", "target", "token"}
"""Words with which `mask` is clear: 1 is learned."""

_GOOD = {"label", "labels", "kto_tag", "desirable", "is_desirable", "accepted", "is_accepted",
         "is_chosen", "approved", "is_approved", "correct", "is_correct", "is_good", "good",
         "preferred", "is_preferred", "thumbs_up", "chosen", "valid", "is_valid"}  # fmt: skip
_BAD = {"rejected", "is_rejected", "bad", "is_bad", "deleted", "is_deleted", "wrong", "is_wrong",
        "incorrect", "is_incorrect", "thumbs_down", "undesirable", "invalid"}  # fmt: skip
"""Keys with which preference data says whether an answer is a good one."""

MEDIA = ("image", "images", "image_url", "audio", "audios", "video", "videos")
_NOT_TEXT = ("tools", "functions", *MEDIA)

_METADATA = {"id", "uuid", "guid", "idx", "index", "name", "hash", "sha256", "source", "url",
             "dataset", "split", "lang", "language", "license", "date", "time", "timestamp",
             "created", "updated", "object", "version"}  # fmt: skip
_MAX_METADATA = 200
"""Characters of the longest value that is metadata; longer ones may be text to learn."""


def is_of_library(row: Mapping[str, Any]) -> bool:
    """Whether a row is a sample of a curated library, whose `context` is for the teacher alone."""
    return row.keys() >= _OF_LIBRARIES


def refuse_unsupported(members: Mapping[str, Any], *, where: str) -> None:
    """Refuse what cannot be shown to a model as text.

    Raises:
        BadRowError: there is a picture, sound, or a tool that only a message has.
    """
    for key in _NOT_TEXT:
        if key in members and not is_empty(members[key]):
            raise BadRowError(f"has {key}{where}, which is not supported", "Leave the row out.")
    if members.get("channel") not in (None, "final"):
        raise BadRowError(f"has channel {members['channel']!r}{where}, which is not supported")


def bad_mark(row: Mapping[str, Any]) -> str:
    """The key that marks the answer of a row as one that should not be given, or ""."""
    marks = row.keys() & (_GOOD | _BAD)
    return next((key for key in sorted(marks) if flag(row[key]) is (key in _BAD)), "")


def is_learned(members: Mapping[str, Any], *, where: str = "") -> bool | None:
    """Whether the keys of a row or message say that it is learned; None: they do not say.

    Args:
        members: of a row or message.
        where: the message, as errors name it; "" for a row.

    Raises:
        BadRowError: they say how much, or something that is not clear.
    """
    answers: set[bool] = set()
    for key, of_key in _flags(members, is_row=not where).items():
        value = members[key]
        if key == "mask" and isinstance(value, str) and role_of(value) in ("user", "system"):
            continue  # questions are never learned
        if of_key is None:
            reason = f"has {key} {shown(value)}{where}, which tools understand differently"
            raise BadRowError(reason, "Remove it.")
        if flag(value) is not None:
            answers.add(flag(value) is of_key)
        elif key in _OF_ROWS or not isinstance(value, str):
            raise BadRowError(
                f"has {key} {shown(value)}{where}, and all answers have the same weight",
                "Write 1 or remove it; library.weights gives sources a weight.",
            )
    return all(answers) if answers else None


def _flags(members: Mapping[str, Any], *, is_row: bool) -> dict[str, bool | None]:
    """Keys that say what is learned, each with the value that says that it is; None: unclear."""
    return {
        key: _when_learned(key)
        for key, value in members.items()
        if _is_flag(key, is_row) and not is_empty(value)
    }


@lru_cache(maxsize=4096)
def _is_flag(key: str, is_row: bool) -> bool:
    if is_row:
        return key in _OF_ROWS
    return key != "attention_mask" and bool(
        set(key.split("_")) & (_LEARN | _SKIP | {"mask", "masks"})
    )


def _when_learned(key: str) -> bool | None:
    """The value of a flag that says that something is learned; None: unclear."""
    words = set(key.split("_"))
    is_clear = not words & _UNCLEAR or ("detail" not in words and words & _OF_MASKS)
    return not words & (_SKIP | _NOT) if is_clear else None


def describe(members: Mapping[str, Any]) -> str:
    """The keys that say whether something is learned, with their values."""
    return ", ".join(f"{key} {shown(members[key])}" for key in _flags(members, is_row=False))


def per_message(row: dict[str, Any], *, number: int) -> list[bool | None]:
    """Whether each message is learned, from lists of flags, which are taken out of the row."""
    learned: list[bool | None] = [None] * number
    for key, of_key in _flags(row, is_row=True).items():
        flags = [flag(value) for value in row[key]] if isinstance(row[key], list) else []
        if len(flags) == number and None not in flags and of_key is not None:
            learned = [value is of_key for value in flags]
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
    flags = _flags(members, is_row=kind == "key")
    for key, value in members.items():
        is_followed = key in used or (key in flags and flag(value) is not None)
        if not is_followed and not is_empty(value) and not is_metadata(key, value):
            notes.append(Note(f"unused {kind}: {key.lstrip('_')[:40]}", shown(value)))


def is_metadata(key: str, value: Any) -> bool:
    """Whether a value is an identifier, a date or the like, or says what happens anyway."""
    if key == "mask" or (key in _GOOD | _BAD and flag(value) is (key in _GOOD)):
        return True  # it says what happens anyway, otherwise the row would be refused
    is_named = key in _METADATA or key.endswith(("_id", "_at", "_url"))
    return is_named and not isinstance(value, bool) and len(str(value)) <= _MAX_METADATA


def names(keys: Iterable[str]) -> str:
    """Keys as a sentence lists them."""
    listed = list(keys)
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
