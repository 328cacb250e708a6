"""The web application of `ftdist serve`, in front of an endpoint on the loopback address."""

from ftdist_launch.serving.app import Settings, make_app
from ftdist_launch.serving.backends import Served
from starlette.testclient import TestClient

from tests.support.chat_endpoint import chat_endpoint

SETTINGS = Settings(name="widget", system_prompt="Cite the page.", max_tokens=64, api_key=None)
QUESTION = [{"role": "user", "content": "How do I reset it?"}]


def client(url: str, settings: Settings = SETTINGS) -> TestClient:
    served = Served(url=url.removesuffix("/v1"), model="org/folder")
    return TestClient(make_app(served, settings))


def test_a_request_gets_the_trained_system_prompt_and_is_answered_greedily() -> None:
    with chat_endpoint(lambda _: "Hold the button.") as endpoint, client(endpoint.url) as app:
        answer = app.post("/v1/chat/completions", json={"messages": QUESTION})
        assert answer.json()["choices"][0]["message"]["content"] == "Hold the button."
    assert endpoint.requests == [
        {
            "model": "org/folder",
            "temperature": 0,
            "max_tokens": 64,
            "messages": [{"role": "system", "content": "Cite the page."}, *QUESTION],
        }
    ]


def test_what_a_request_sets_is_passed_on() -> None:
    body = {
        "model": "widget",
        "temperature": 0.7,
        "max_completion_tokens": 9,
        "messages": [{"role": "system", "content": "Be brief."}, *QUESTION],
    }
    with chat_endpoint(lambda _: "No.") as endpoint, client(endpoint.url) as app:
        app.post("/v1/chat/completions", json=body)
    assert endpoint.requests == [body | {"model": "org/folder"}]


def test_errors_of_the_server_reach_the_client_with_their_status() -> None:
    with (
        chat_endpoint(lambda _: "", status=lambda _: 503) as endpoint,
        client(endpoint.url) as app,
    ):
        answer = app.post("/v1/chat/completions", json={"messages": QUESTION})
    assert (answer.status_code, answer.json()) == (503, {"error": {"message": "no"}})


def test_a_server_that_has_gone_is_an_error_of_the_gateway() -> None:
    with chat_endpoint(lambda _: "") as endpoint:
        gone = endpoint.url
    with client(gone) as app:
        assert app.post("/v1/chat/completions", json={"messages": QUESTION}).status_code == 502


def test_a_request_that_is_no_chat_is_refused() -> None:
    with client("http://127.0.0.1:9/v1") as app:
        assert app.post("/v1/chat/completions", content=b"nope").status_code == 400
        assert app.post("/v1/chat/completions", json={"prompt": "x"}).status_code == 400
        assert app.post("/v1/chat/completions", json=[1]).status_code == 400


def test_with_a_key_only_clients_that_send_it_are_answered() -> None:
    settings = Settings(name="widget", system_prompt=None, max_tokens=64, api_key="s3cret")
    with chat_endpoint(lambda _: "Yes.") as endpoint, client(endpoint.url, settings) as app:
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": "Bearer s3cret"}, 200),
        ):
            answer = app.post("/v1/chat/completions", json={"messages": QUESTION}, headers=headers)
            assert answer.status_code == status
            assert app.get("/v1/models", headers=headers).status_code == status
        assert app.get("/health").status_code == 200
    assert len(endpoint.requests) == 1


def test_models_names_the_run_and_the_page_shows_it_escaped() -> None:
    settings = Settings(name="a<b", system_prompt=None, max_tokens=64, api_key=None)
    with client("http://127.0.0.1:9/v1", settings) as app:
        assert [model["id"] for model in app.get("/v1/models").json()["data"]] == ["a<b"]
        assert "<h1>a&lt;b</h1>" in app.get("/").text
