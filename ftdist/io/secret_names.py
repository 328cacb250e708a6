"""What passwords and access keys look like: the names they stand under, and shapes of tokens."""

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

TOKEN_SHAPES = (
    ("AKIA", r"AKIA[0-9A-Z]{16}"),
    ("ASIA", r"ASIA[0-9A-Z]{16}"),
    ("gh", r"gh[pousr]_[A-Za-z0-9]{36,}"),
    ("github_pat_", r"github_pat_\w{40,}"),
    ("glpat-", r"glpat-[\w-]{20,}"),
    ("xox", r"xox[abprs]-[\w-]{10,}"),
    ("sk_live_", r"sk_live_\w{20,}"),
    ("sk-", r"sk-[\w-]{20,}"),
    ("hf_", r"hf_[A-Za-z0-9]{30,}"),
    ("AIza", r"AIza[\w-]{35}"),
    ("eyJ", r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
)
"""Tokens as their issuers publish their shapes: text that every one of them has, and a pattern."""


def is_secret_name(name: str) -> bool:
    """Whether a config key or an environment variable of this name holds a secret."""
    return bool(_SECRET_NAME.search(name)) and not _NOT_SECRET.search(name)
