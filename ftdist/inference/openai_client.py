"""A language model behind an OpenAI-compatible endpoint: vLLM, llama.cpp, Ollama or a vendor."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ftdist.config.schema.curate import GeneratorConfig
from ftdist.errors import ConfigError, DataError
from ftdist.io.hashing import fingerprint

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

_RETRIES = 4
_SEED = 1
_MAX_MESSAGE_CHARACTERS = 300
"""Longer error messages of a server are truncated."""


class OpenAiEndpoint:
    """Asks one model, several requests at a time.

    Args:
        client: of the endpoint.
        asked: the settings.
    """

    def __init__(self, client: "OpenAI", config: GeneratorConfig) -> None:
        self._client, self._config = client, config

    @property
    def key(self) -> str:
        """Fingerprint of the address and the model."""
        return fingerprint(self._config.base_url, self._config.model)

    def ask(self) -> Callable[[Sequence[str]], list[str | DataError]]:
        """A function from prompts to replies; an error for a prompt that the endpoint refuses."""

        def replies(prompts: Sequence[str]) -> list[str | DataError]:
            with ThreadPoolExecutor(self._config.max_concurrency) as pool:
                return list(pool.map(self._reply, prompts))

        return replies

    def _reply(self, prompt: str) -> str | DataError:
        import openai

        assert self._config.model is not None
        where = f"generator.base_url={self._config.base_url}"
        try:
            answer = self._client.chat.completions.create(
                model=self._config.model,
                messages=[{"role": "user", "content": prompt}],
                max_tokens=self._config.max_tokens,
                temperature=0,
                seed=_SEED,
            )
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            # A prompt may be too long, or unwanted; the settings are at fault if all are refused.
            return DataError(
                f"{where} rejects the request (HTTP {error.status_code}): {_message_of(error)}",
                remedy="set generator.max_tokens below the model's context, or generator.model "
                "to one that takes max_tokens and temperature=0; or set generator.backend=rules.",
            )
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise ConfigError(
                f"{where} refuses {_shown_key(self._config)} (HTTP {error.status_code}).",
                remedy="set generator.api_key_env to the name of a variable, such as "
                "OPENAI_API_KEY, that holds a key which it takes.",
            ) from error
        except openai.NotFoundError as error:
            raise ConfigError(
                f"{where} knows no model {self._config.model!r}, or is not the endpoint's address.",
                remedy="give generator.base_url up to and with /v1, and generator.model as "
                "GET /v1/models names it.",
            ) from error
        except openai.OpenAIError as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise DataError(
                f"{where} did not answer after {_RETRIES + 1} tries: {reason[0].rstrip('.')}.",
                remedy="run the same command again once it answers: what it said so far is kept; "
                "or set generator.backend=rules.",
            ) from error
        choices = answer.choices or []
        return (choices[0].message.content or "") if choices else ""


def _message_of(error: "APIStatusError") -> str:
    """The error message of the server, on one line."""
    message = error.body.get("message") if isinstance(error.body, dict) else None
    text = " ".join(
        (message if isinstance(message, str) and message.strip() else error.message).split()
    )
    return (
        f"{text.rstrip('.')}."
        if len(text) <= _MAX_MESSAGE_CHARACTERS
        else f"{text[:_MAX_MESSAGE_CHARACTERS]}..."
    )


def open_endpoint(config: GeneratorConfig) -> OpenAiEndpoint:
    """The endpoint of a curation.

    Raises:
        ConfigError: no model is named, the address is none, the client is not installed, or the key
            would travel unencrypted.
    """
    if config.model is None:
        raise ConfigError(
            "generator.backend=endpoint, and generator.model does not name the model.",
            remedy="set generator.model to a name that GET /v1/models lists at generator.base_url.",
        )
    if not config.base_url.startswith(("http://", "https://")):
        raise ConfigError(
            f"generator.base_url={config.base_url} is no address.",
            remedy="give it as http://host:port/v1.",
        )
    try:
        from openai import OpenAI
    except ImportError as error:
        raise ConfigError(
            "generator.backend=endpoint needs the package openai, which is not installed.",
            remedy="run `pip install 'ftdist[endpoint]'`.",
        ) from error
    client = OpenAI(
        base_url=config.base_url,
        api_key=_api_key(config),
        timeout=float(config.timeout_s),
        max_retries=_RETRIES,
    )
    return OpenAiEndpoint(client, config)


def _api_key(config: GeneratorConfig) -> str:
    """The key to send: of the variable that the user named, and only where nobody can read it.

    Raises:
        ConfigError: it would travel unencrypted to another machine.
    """
    key = os.environ.get(config.api_key_env or "")
    if not key:
        return "none"  # a server of one's own takes any key; the client insists on having one
    url = urlsplit(config.base_url)
    if url.scheme == "https" or _is_loopback(url.hostname or ""):
        return key
    raise ConfigError(
        f"generator.base_url={config.base_url} would send the key in ${config.api_key_env} "
        "unencrypted to another machine.",
        remedy="write https://, or set generator.api_key_env=null if the endpoint needs no key.",
    )


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _shown_key(config: GeneratorConfig) -> str:
    is_sent = os.environ.get(config.api_key_env or "")
    return f"the key in ${config.api_key_env}" if is_sent else "a request without a key"
