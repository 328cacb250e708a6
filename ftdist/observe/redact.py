"""Take secrets out of what is shown to others."""

import re
from collections.abc import Mapping
from typing import Any

from ftdist.io.env_names import is_tunable
from ftdist.io.secret_names import is_secret_name

HIDDEN = "(hidden)"

_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_MIN_SECRET = 8


def redacted(value: Any, *, environment: Mapping[str, str]) -> Any:
    """A copy of nested mappings, lists and scalars without secrets.

    Hidden are: whatever stands under a name of a secret, users and passwords in URLs, any text
    that holds the value of an environment variable with a name of a secret (WANDB_API_KEY), and
    variables in an `env` that no config may set.
    """
    secrets = [
        secret
        for name, secret in environment.items()
        if is_secret_name(name) and len(secret) >= _MIN_SECRET
    ]
    return _redacted(value, secrets)


def _redacted(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _redacted_item(str(name), item, secrets) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item, secrets) for item in value]
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return _USER_IN_URL.sub(HIDDEN, value)
    return value


def _redacted_item(name: str, item: Any, secrets: list[str]) -> Any:
    if name == "env" and isinstance(item, Mapping):
        item = {n: v if is_tunable(str(n)) else HIDDEN for n, v in item.items()}
    if is_secret_name(name) and isinstance(item, str):
        return HIDDEN
    return _redacted(item, secrets)
