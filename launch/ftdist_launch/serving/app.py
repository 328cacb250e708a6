"""The web application of `ftdist serve`: an OpenAI-compatible endpoint and a page to chat.

    GET  /                       the page
    GET  /health                 ok, once the model is loaded
    GET  /v1/models              the one model, under the run's name
    POST /v1/chat/completions    passed on to the inference server; streamed if "stream" is true

A request without a system message gets the one that the model was trained with, and a request
without a temperature is answered greedily, as `ftdist compare` asks.
"""

import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ftdist_launch.serving.backends import Served

GENERATION_TIMEOUT_S = 600.0
"""Longest pause of an answer; a long one is not limited."""

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What requests get if they do not say."""

    name: str
    """Of the model: the run's."""

    system_prompt: str | None
    max_tokens: int
    api_key: str | None
    """Required as a bearer token; None: anyone who reaches the port may ask."""


def make_app(served: Served, settings: Settings) -> Starlette:
    """The application in front of a running inference server."""
    client = httpx.AsyncClient(
        base_url=served.url,
        headers=served.headers,
        timeout=httpx.Timeout(GENERATION_TIMEOUT_S),
        trust_env=False,
    )
    page = resources.files(__package__).joinpath("chat.html").read_text(encoding="utf-8")

    async def index(_: Request) -> Response:
        title = settings.name.replace("&", "&amp;").replace("<", "&lt;")
        return HTMLResponse(page.replace("{{ name }}", title))

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(_: Request) -> Response:
        entry = {"id": settings.name, "object": "model", "owned_by": "ftdist"}
        return JSONResponse({"object": "list", "data": [entry]})

    async def complete(request: Request) -> Response:
        body = await _json_body(request)
        if isinstance(body, str):
            return _error(400, body)
        upstream = client.build_request(
            "POST", "/v1/chat/completions", json=_completed(body, served, settings)
        )
        try:
            answer = await client.send(upstream, stream=True)
        except httpx.HTTPError as error:
            return _error(502, f"The inference server does not answer: {error}.")
        kind = answer.headers.get("content-type", "application/json")
        return StreamingResponse(_pieces(answer), status_code=answer.status_code, media_type=kind)

    routes = [
        Route("/", index),
        Route("/health", health),
        Route("/v1/models", _guarded(models, settings.api_key)),
        Route("/v1/chat/completions", _guarded(complete, settings.api_key), methods=["POST"]),
    ]
    return Starlette(routes=routes)


def _guarded(handler: Handler, api_key: str | None) -> Handler:
    """A handler that answers only requests with the key."""
    if api_key is None:
        return handler
    expected = f"Bearer {api_key}".encode()

    async def guarded(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected):
            return _error(401, "The API key is missing or wrong.")
        return await handler(request)

    return guarded


async def _json_body(request: Request) -> dict[str, Any] | str:
    """The request, or what is wrong with it."""
    try:
        body = json.loads(await request.body())
    except ValueError:
        return "The request is not JSON."
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
        return 'The request has no list "messages".'
    return body


def _completed(body: dict[str, Any], served: Served, settings: Settings) -> dict[str, Any]:
    """The request with the model's name at the server, and what it leaves out."""
    messages = body["messages"]
    roles = [message.get("role") for message in messages if isinstance(message, dict)]
    if settings.system_prompt is not None and not {"system", "developer"} & set(roles):
        messages = [{"role": "system", "content": settings.system_prompt}, *messages]
    length = {} if "max_completion_tokens" in body else {"max_tokens": settings.max_tokens}
    return {"temperature": 0, **length, **body, "model": served.model, "messages": messages}


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message}}, status_code=status)
