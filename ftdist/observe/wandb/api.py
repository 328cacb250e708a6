"""The W&B server as it can be asked without wandb: whether it answers, and what it has of a run.

Few lines of HTTP in place of wandb's own clients, because each question here has a time limit, and
because login nodes ask without loading wandb. The key is read where wandb reads it, is sent to the
one host that it is for, and is shown nowhere.
"""

import base64
import configparser
import http.client
import json
import netrc
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ftdist.config.schema import TrackingConfig
from ftdist.errors import FtdistError
from ftdist.observe.wandb.comparison_table import DIGEST
from ftdist.observe.wandb.state import wandb_id
from ftdist.rundir import RunDir

GLOBAL_STEP = "trainer/global_step"
"""W&B's x-axis: optimizer steps done. Its own counter of rows moves with every resumed attempt."""

DEFAULT_URL = "https://api.wandb.ai"

ASK_TIMEOUT_S = 10.0
"""How long the server may keep silent before it counts as not reachable."""

# What wandb-core asks before it resumes a run.
_RUN = """
query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    bucket(name: $name, missingOk: true) { historyLineCount historyTail summaryMetrics }
  }
}
"""


class WandbError(FtdistError):
    """W&B did not do what it was asked."""

    exit_code = 69


@dataclass(frozen=True, kw_only=True)
class WandbServer:
    """A server, and a key for it."""

    url: str
    key: str = field(repr=False)
    entity: str | None = None
    """User or team of runs that name none; None: the key's own."""

    def last_step(
        self, run: RunDir, tracking: TrackingConfig, *, timeout_s: float | None = None
    ) -> int:
        """The newest step that the server has of a run; 0: of that run it has no row.

        Args:
            run: that was sent, or is to be.
            tracking: project and entity of the run.
            timeout_s: how long it may keep silent; None: `ASK_TIMEOUT_S`.

        Raises:
            WandbError: it cannot be reached, refuses the key, or answers something else.
        """
        bucket = self._bucket(run, tracking, timeout_s=timeout_s)
        if not bucket.get("historyLineCount"):
            return 0
        try:
            # JSON within JSON: the last rows, as they were sent.
            tail = [json.loads(row) for row in json.loads(bucket["historyTail"])]
            return int(tail[-1][GLOBAL_STEP])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise WandbError(
                f"Run {wandb_id(run)} in W&B's project {tracking.project} has rows without "
                f"{GLOBAL_STEP}, which are not from here.",
                remedy=f"`ftdist sync {run.cli_name} --new` makes another run there.",
            ) from error

    def compared(self, run: RunDir, tracking: TrackingConfig) -> str:
        """Digest of the comparison that the server has of a run; "": it has none.

        Args:
            run: that was sent.
            tracking: project and entity of the run.

        Raises:
            WandbError: it cannot be reached, refuses the key, or answers something else.
        """
        try:
            summary = json.loads(self._bucket(run, tracking).get("summaryMetrics") or "{}")
            return str(summary.get(DIGEST, ""))
        except (AttributeError, TypeError, ValueError):
            raise self._silent("its summary of the run is no JSON object") from None

    def _bucket(
        self, run: RunDir, tracking: TrackingConfig, *, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """What the server says of a run; empty where it does not know it."""
        variables = {
            "project": tracking.project,
            "entity": tracking.entity or self.entity,
            "name": wandb_id(run),
        }
        patience_s = ASK_TIMEOUT_S if timeout_s is None else timeout_s
        model = self._ask(_RUN, variables, timeout_s=patience_s).get("model") or {}
        return dict(model.get("bucket") or {})

    def _ask(self, query: str, variables: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
        told = base64.b64encode(f"api:{self.key}".encode()).decode()
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Authorization": f"Basic {told}", "Content-Type": "application/json"},
        )
        try:
            with _OPENER.open(request, timeout=timeout_s) as answer:
                told_back = json.load(answer)
            if told_back.get("errors"):
                raise ValueError(told_back["errors"][0]["message"])
            return dict(told_back["data"])
        except urllib.error.HTTPError as error:
            error.close()  # it is the answer as well
            refused = error.code in (401, 403)
            why = "it refuses the key" if refused else error.reason
            raise self._silent(f"{why} (HTTP {error.code})") from None
        except urllib.error.URLError as error:
            raise self._silent(str(error.reason)) from None
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            words = str(error) or type(error).__name__
            raise self._silent(" ".join(words.split())[:200]) from None

    def _silent(self, why: str) -> WandbError:
        return WandbError(
            f"W&B cannot be reached at {self.url}: {why}.",
            remedy="see that this machine reaches it (HTTPS_PROXY, WANDB_BASE_URL) and that the "
            "key is valid (`wandb login`).",
        )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Keeps the key from being sent on to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def find_server(environment: Mapping[str, str]) -> WandbServer | None:
    """The server that wandb would use, where there is a key for it; None: there is none.

    Args:
        environment: WANDB_BASE_URL, WANDB_API_KEY, WANDB_ENTITY, NETRC, WANDB_CONFIG_DIR and HOME
            of it count.
    """
    url = _base_url(environment).rstrip("/")
    if urlsplit(url).scheme not in ("http", "https"):
        return None
    key = environment.get("WANDB_API_KEY") or _netrc_key(environment, host=urlsplit(url).netloc)
    return WandbServer(url=url, key=key, entity=environment.get("WANDB_ENTITY")) if key else None


def _base_url(environment: Mapping[str, str]) -> str:
    """Where the server is: by the environment, or by what `wandb login --host` wrote down."""
    if environment.get("WANDB_BASE_URL"):
        return environment["WANDB_BASE_URL"]
    folder = environment.get("WANDB_CONFIG_DIR") or _home(environment) / ".config" / "wandb"
    settings = configparser.ConfigParser(interpolation=None)
    try:
        settings.read(Path(folder).expanduser() / "settings")
    except (OSError, configparser.Error, UnicodeDecodeError):
        return DEFAULT_URL
    return settings.get("default", "base_url", fallback=DEFAULT_URL)


def _netrc_key(environment: Mapping[str, str], *, host: str) -> str | None:
    home = _home(environment)
    named = environment.get("NETRC")
    paths = [Path(named).expanduser()] if named else [home / ".netrc", home / "_netrc"]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    try:
        found = netrc.netrc(str(path)).authenticators(host)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return None
    return found[2] if found else None


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment["HOME"]) if environment.get("HOME") else Path.home()
