"""Errors of the HTTP client of huggingface_hub."""


def http_error() -> type[Exception]:
    """What a request to the Hub raises: httpx2's error with version 2 of the client, else httpx's.

    Taken from the client's own error, which is one of them.
    """
    from huggingface_hub.errors import HfHubHTTPError

    for base in HfHubHTTPError.__mro__:
        if base.__name__ == "HTTPError":
            return base
    raise AssertionError("HfHubHTTPError is no HTTPError")
