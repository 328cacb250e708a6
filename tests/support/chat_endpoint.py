"""An OpenAI-compatible chat endpoint on the loopback address, with replies from a function."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class ChatEndpoint:
    """What was asked, and where."""

    url: str
    prompts: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of the requests, whole."""

    keys: set[str] = field(default_factory=set)


@contextmanager
def chat_endpoint(
    reply: Callable[[str], str],
    *,
    status: Callable[[int], int] = lambda _: 200,
    refuses: Callable[[str], bool] = lambda _: False,
) -> Iterator[ChatEndpoint]:
    """Serve `POST /v1/chat/completions` until the block ends.

    Args:
        reply: what the model says to a prompt.
        status: HTTP status of the n-th request, from 0.
        refuses: whether a prompt is refused with HTTP 400.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = asked["messages"][-1]["content"]
            code = 400 if refuses(prompt) else status(len(served.prompts))
            served.prompts.append(prompt)
            served.requests.append(asked)
            served.keys.add(self.headers.get("Authorization", ""))
            message = {"role": "assistant", "content": reply(prompt)}
            body = (
                {
                    "id": "1",
                    "object": "chat.completion",
                    "created": 0,
                    "model": asked["model"],
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                }
                if code == 200
                else {"error": {"message": "no"}}
            )
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = ChatEndpoint(url=f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
