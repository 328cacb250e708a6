"""Ask DeepSpeed itself about settings: `python -m ftdist.zero.validate_ds_config < settings.json`.

Runs in a process of its own, since importing DeepSpeed takes seconds. DeepSpeed takes a mistyped
top-level key silently, so a dictionary that remembers what it was asked for is passed to its
config class: what was never asked for is no setting of DeepSpeed's. Sections that are pydantic
classes refuse what they do not know by themselves. Writes a JSON list of sentences.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ftdist.config.keys import nearest

_NEEDED = {"train_batch_size": 1, "zero_optimization": {"stage": 3}}
_WHERE = "engine.deepspeed"


class AskedDict(dict[str, Any]):
    """A dictionary that remembers which keys it was asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__({k: AskedDict(v) if isinstance(v, dict) else v for k, v in values.items()})
        self.asked: set[str] = set()

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As a dictionary's, remembered."""
        self.asked.add(key)
        return super().get(key, default)

    def __iter__(self) -> Iterator[str]:
        # whoever takes all of them (such as a pydantic class) answers for them
        self.asked.update(super().keys())
        return super().__iter__()

    def items(self) -> Any:
        """As a dictionary's, remembered."""
        self.asked.update(super().keys())
        return super().items()

    def __copy__(self) -> "AskedDict":
        return self  # DeepSpeed reads a shallow copy; what it asks must be seen here


def problems_of(settings: Mapping[str, Any]) -> list[str]:
    """What DeepSpeed does not know or take in `settings`, a sentence each.

    Each top-level setting is tried by itself, for DeepSpeed stops at the first that is wrong.
    """
    found: list[str] = []
    for key, value in settings.items():
        found += _problems_of_one(key, value)
    return found


def _problems_of_one(key: str, value: Any) -> list[str]:
    from deepspeed.runtime.config import DeepSpeedConfig
    from pydantic import ValidationError

    with_needed: dict[str, Any] = {**_NEEDED, key: value}
    if key == "zero_optimization" and isinstance(value, dict):
        with_needed[key] = {"stage": 3, **value}
    asked = AskedDict(with_needed)
    try:
        DeepSpeedConfig(asked)
    except ValidationError as error:
        return [_pydantic_problem(key, error.title, dict(e)) for e in error.errors()]
    except Exception as error:  # noqa: BLE001 - DeepSpeed raises whatever its assertions raise
        reason = " ".join(str(error).split()) or type(error).__name__
        return [f"{_WHERE}.{key} is refused by DeepSpeed: {reason}"]
    return list(_never_asked(asked, only=key, prefix=_WHERE))


def _never_asked(asked: AskedDict, *, only: str | None, prefix: str) -> Iterator[str]:
    known = set(asked.asked)
    for key in asked.keys():  # noqa: SIM118 - iterating would count as asking
        value = dict.__getitem__(asked, key)
        if only not in (None, key):
            continue
        if key not in known:
            yield _unknown(f"{prefix}.{key}", key, known)
        elif isinstance(value, AskedDict) and value.asked:
            yield from _never_asked(value, only=None, prefix=f"{prefix}.{key}")


def _pydantic_problem(section: str, title: str, error: dict[str, Any]) -> str:
    name = ".".join([_WHERE, section, *map(str, error["loc"])])
    if error["type"] != "extra_forbidden":
        return f"{name}={json.dumps(error['input'], default=str)} is refused: {error['msg']}."
    return _unknown(name, str(error["loc"][-1]), _field_names(title, error["loc"]))


def _unknown(name: str, key: str, options: set[str]) -> str:
    meant = nearest(key, sorted(options), least=0.6)
    hint = f": did you mean {name.rsplit('.', maxsplit=1)[0]}.{meant}?" if meant else "."
    return f"{name} is not a setting of DeepSpeed{hint}"


def _field_names(title: str, location: tuple[Any, ...]) -> set[str]:
    """Fields, by name and alias, of the class called `title`, or of the one it holds there."""
    from deepspeed.runtime.config_utils import DeepSpeedConfigModel

    waiting: list[Any] = [DeepSpeedConfigModel]
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if model.__name__ != title:
            continue
        for part in location[:-1]:
            held = model.model_fields.get(part)
            inner = [t for t in _types_in(held.annotation if held else None) if _is_model(t)]
            if not inner:
                return set()
            model = inner[0]
        fields = model.model_fields
        return set(fields) | {field.alias for field in fields.values() if field.alias}
    return set()


def _types_in(annotation: Any) -> list[Any]:
    return [annotation, *getattr(annotation, "__args__", ())]


def _is_model(kind: Any) -> bool:
    return hasattr(kind, "model_fields")


def main() -> None:
    """Read settings from standard input, write the sentences to standard output."""
    answer = os.dup(sys.stdout.fileno())
    # DeepSpeed's log goes to standard output, where the answer alone belongs
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sentences = problems_of(json.load(sys.stdin))
    with os.fdopen(answer, "w", encoding="utf-8") as stream:
        json.dump(sentences, stream)


if __name__ == "__main__":
    main()
