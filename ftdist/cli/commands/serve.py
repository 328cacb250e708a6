"""`ftdist serve`: try a tuned model through an OpenAI-compatible endpoint or in a browser."""

import os
import socket
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ftdist_launch.run_config import read_config
from ftdist_launch.serving.backends import BACKENDS, Backend, choose_backend, listen, running
from ftdist_launch.serving.verify import max_tokens_of_comparison, read_probes, verify
from ftdist_launch.setup.preflight import raise_together
from ftdist_launch.setup.stage_preflight import base_missing, export_missing, merged_missing

from ftdist.cli.common import RunParser, log, print_result
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError
from ftdist.rundir import RunDir

DESCRIPTION = """\
Serve the exported model of a run for trying it out: an OpenAI-compatible endpoint
(/v1/chat/completions) and a page to chat with it. Uses vLLM if it is installed, else transformers;
for a GGUF file, llama.cpp's llama-server. Ctrl-C ends it. With --verify, asks the probes of the
comparison again through the endpoint, compares the answers, and ends: with exit code 78 if fewer
are right, by more than one in ten."""

_MAX_PORT = 2**16 - 1


def main(arguments: Sequence[str]) -> int:
    """Serve a model of a run until Ctrl-C.

    Raises:
        FtdistError: there is no such run or model, no server is installed, or it does not start.
    """
    parsed = _parser().parse_run(arguments)
    run, flags = parsed.run, parsed.flags
    config = read_config(run)
    model = _model(run, config, flags)
    _check_installed()
    backend = choose_backend(model, wanted=flags.backend)
    api_key = _api_key(flags.api_key_env)
    if flags.verify:
        return _verify(run, config, model=model, flags=flags)
    for line in _who_may_use(flags.host, backend, api_key=api_key):
        log(line)
    with listen(flags.host, flags.port) as listener:
        log(f"Loading {model} with {backend.name}.")
        from ftdist_launch.serving.app import Settings, make_app

        with running(backend, log=log) as served:
            settings = Settings(
                name=run.name,
                system_prompt=config.library.system_prompt,
                max_tokens=config.eval.max_new_tokens,
                api_key=api_key,
            )
            url = f"http://{flags.host}:{flags.port}"
            print_result(
                f"{run.name} is served at {url} (a page) and {url}/v1 (OpenAI-compatible)."
            )
            log(
                "Ctrl-C ends it. From your own machine: "
                f"`ssh -N -L {flags.port}:localhost:{flags.port} THIS_MACHINE`."
            )
            _serve(make_app(served, settings), listener)
    return 0


def _who_may_use(host: str, backend: Backend, *, api_key: str | None) -> list[str]:
    """Warnings about others who can use the model."""
    if api_key is None:
        is_local = host in ("127.0.0.1", "localhost")
        who = "every user of this machine" if is_local else "everyone who reaches this port"
        return [f"Warning: {who} may use the model; set --api-key-env."]
    if backend.key_variable is None:
        return [
            f"Warning: {backend.name} takes no key: users of this machine can reach it without "
            "one. On a shared machine use vLLM or llama.cpp."
        ]
    return []


def _parser() -> RunParser:
    parser = RunParser("serve", description=DESCRIPTION, takes_keys=False)
    models = parser.add_mutually_exclusive_group()
    models.add_argument("--base", action="store_true", help="the base model")
    models.add_argument("--merged", action="store_true", help="the model of `ftdist merge`")
    models.add_argument("--gguf", action="store_true", help="the newest GGUF file of the run")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on [127.0.0.1]")
    parser.add_argument("--port", type=_port, default=8000, help="port to listen on [8000]")
    parser.add_argument("--backend", choices=BACKENDS, help="inference server")
    parser.add_argument(
        "--api-key-env", metavar="NAME", help="environment variable of a key that clients must send"
    )
    parser.add_argument(
        "--verify", action="store_true", help="ask the probes of the comparison again, and end"
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_PORT:
        raise ArgumentTypeError(f"{text} is not a port, a whole number of 1 to {_MAX_PORT}")
    return int(text)


def _model(run: RunDir, config: RunConfig, flags: Namespace) -> Path:
    """The model to serve, which exists."""
    if flags.base:
        raise_together(list(base_missing(run, config, remedy="restore it.")))
        return Path(config.model.path)
    if flags.merged:
        raise_together(list(merged_missing(run)))
        return run.merged_model
    if flags.gguf:
        files = sorted(run.gguf.glob("*.gguf"), key=lambda path: path.stat().st_mtime)
        if not files:
            raise ConfigError(
                f"Run {run.name} has no GGUF file.",
                remedy=f"run `ftdist export {run.cli_name} --format gguf`.",
            )
        if files[-1].stat().st_mtime < _exported_at(run):
            log(
                f"Warning: {files[-1]} is older than the export; "
                f"`ftdist export {run.cli_name} --format gguf` converts it again."
            )
        return files[-1]
    raise_together(list(export_missing(run, verb="serve")))
    return run.export


def _exported_at(run: RunDir) -> float:
    """When the run was exported, seconds since 1970; 0: never."""
    config = run.export / "config.json"
    return config.stat().st_mtime if config.is_file() else 0.0


def _check_installed() -> None:
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise ConfigError(
            "`ftdist serve` needs starlette and uvicorn, which are not installed.",
            remedy="run `pip install 'ftdist[serve]'`.",
        ) from None


def _api_key(name: str | None) -> str | None:
    if name is None:
        return None
    if not os.environ.get(name):
        raise ConfigError(
            f"The environment variable {name} of --api-key-env is not set.",
            remedy=f"export {name}=... first.",
        )
    return os.environ[name]


def _verify(run: RunDir, config: RunConfig, *, model: Path, flags: Namespace) -> int:
    if flags.base or flags.merged:
        raise ConfigError(
            "--verify compares with the tuned model's answers.",
            remedy="leave out --base and --merged.",
        )
    probes = read_probes(run)
    backend = choose_backend(model, wanted=flags.backend)
    log(f"Asking {backend.name} {len(probes)} questions of the comparison.")
    with running(backend, log=log) as served:
        result = verify(
            served,
            probes,
            system_prompt=config.library.system_prompt,
            max_tokens=max_tokens_of_comparison(run) or config.eval.max_new_tokens,
        )
    print_result("\n".join(result.lines()))
    return ConfigError.exit_code if result.is_worse else 0


def _serve(app: object, listener: socket.socket) -> None:
    """Serve until Ctrl-C, which is the usual end."""
    import uvicorn

    config = uvicorn.Config(app, log_level="warning")  # type: ignore[arg-type]
    with suppress(KeyboardInterrupt):  # uvicorn raises it again once all requests have ended
        uvicorn.Server(config).run(sockets=[listener])
    log("Stopped.")
