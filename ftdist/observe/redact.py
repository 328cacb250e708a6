"""Take secrets out of what is shown to others."""

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "(hidden)"

_SECRET_NAME = re.compile(
    # "token" but not "tokens": batch.tokens is a number of them. "key" alone is no secret's
    # name here: it is a hash in the plan.
    r"(^|[_.-])(api_?key|access_?key|secret|secret_?key|token|password|passwd|credentials?)$",
    re.IGNORECASE,
)
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_MIN_SECRET = 8


def redacted(value: Any, *, environment: Mapping[str, str]) -> Any:
    """A copy of nested mappings, lists and scalars without secrets.

    Hidden are: whatever stands under a name of a secret, users and passwords in URLs, and any text
    that holds the value of an environment variable with a name of a secret (WANDB_API_KEY).
    """
    secrets = [
        secret
        for name, secret in environment.items()
        if _SECRET_NAME.search(name) and len(secret) >= _MIN_SECRET
    ]
    return _redacted(value, secrets)


def _redacted(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            name: HIDDEN
            if _SECRET_NAME.search(str(name)) and isinstance(item, str)
            else _redacted(item, secrets)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(item, secrets) for item in value]
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return _USER_IN_URL.sub(HIDDEN, value)
    return value
