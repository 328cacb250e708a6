"""Names that stand for a password or an access key: of config keys and environment variables."""

import re

_SECRET_NAME = re.compile(
    # "token" but not "tokens", which are counted. "key" alone is none: it is a hash in the plan.
    # SSH_AUTH_SOCK, HF_TOKEN_PATH and the like end in something else, and PATH is not PAT.
    r"(?<![a-z0-9])(\w*(password|passwd|passphrase|api_?keys?)|\w+_keys?"
    r"|access_key_?id|(\w+_)?(token|secret|credentials?|pass|pat|auth|jwt)"
    r"|\w+_(secrets|pwd|session|connection_string))$",
    re.IGNORECASE | re.ASCII,
)
_NOT_SECRET = re.compile(r"_DISABLE_|^DESKTOP_SESSION$", re.IGNORECASE)
"""HF_HUB_DISABLE_IMPLICIT_TOKEN is a switch."""


def is_secret_name(name: str) -> bool:
    """Whether a config key or an environment variable of this name holds a secret."""
    return bool(_SECRET_NAME.search(name)) and not _NOT_SECRET.search(name)
