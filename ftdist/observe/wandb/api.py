"""Minimal W&B GraphQL client: is the server reachable, and which steps of a run does it have.

Used in place of wandb's own API because every query needs a time limit and login nodes must not
load wandb. The key is read from where wandb reads it, is sent to its own host only and never shown.
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
from urllib.parse import unquote, urlsplit

from ftdist.config.schema import TrackingConfig
from ftdist.errors import FtdistError
from ftdist.observe.wandb.comparison_table import DIGEST
from ftdist.observe.wandb.state import wandb_id
from ftdist.rundir import RunDir

GLOBAL_STEP = "trainer/global_step"
"""W&B's x-axis: optimizer steps done. W&B's own row counter moves with every resumed attempt."""

DEFAULT_URL = "https://api.wandb.ai"

REQUEST_TIMEOUT_S = 10.0
"""Longest wait for a response before the server counts as unreachable."""

# The query that wandb-core makes before it resumes a run.
_RUN = """
query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    bucket(name: $name, missingOk: true) { historyLineCount historyTail summaryMetrics }
  }
}
"""

# The mutation that wandb-core sends for `run.alert`, which does not report whether it arrived.
_ALERT = """
mutation NotifyScriptableRunAlert(
  $entityName: String!, $projectName: String!, $runName: String!, $title: String!, $text: String!,
  $severity: AlertSeverity = INFO, $waitDuration: Duration
) {
  notifyScriptableRunAlert(input: {
    entityName: $entityName, projectName: $projectName, runName: $runName, title: $title,
    text: $text, severity: $severity, waitDuration: $waitDuration
  }) { success }
}
"""
_ALERT_WAIT_MS = 1000
"""Least time between two alerts of one title: alerts are sent once anyway."""

OFFLINE_MODES = ("offline", "dryrun", "disabled")
"""Values of WANDB_MODE that keep all runs from a server."""


class WandbError(FtdistError):
    """W&B is unreachable, or rejected a request."""

    exit_code = 69


@dataclass(frozen=True, kw_only=True)
class WandbServer:
    """A server and its API key."""

    url: str
    key: str = field(repr=False)
    entity: str | None = None
    """Default user or team of runs; None: that of the key."""

    def user(self) -> str:
        """The user or team whose key this is.

        Raises:
            WandbError: the server is unreachable, rejects the key, or sends an unexpected response.
        """
        data = self._query("query { viewer { entity } }", {}, timeout_s=REQUEST_TIMEOUT_S)
        viewer = data.get("viewer")
        if not viewer:  # a key that the server does not know
            raise self._unreachable("the key was rejected")
        return str(viewer.get("entity"))

    def last_step(
        self, run: RunDir, tracking: TrackingConfig, *, timeout_s: float | None = None
    ) -> int:
        """The newest step of a run on the server; 0: it has no rows of it.

        Args:
            run: to look up.
            tracking: project and entity of the run.
            timeout_s: longest wait; None: `REQUEST_TIMEOUT_S`.

        Raises:
            WandbError: the server is unreachable, rejects the key, or sends an unexpected response.
        """
        bucket = self._bucket(run, tracking, timeout_s=timeout_s)
        if not bucket.get("historyLineCount"):
            return 0
        try:
            # JSON within JSON: the last rows, as uploaded.
            tail = [json.loads(row) for row in json.loads(bucket["historyTail"])]
            return int(tail[-1][GLOBAL_STEP])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise WandbError(
                f"Run {wandb_id(run)} in W&B's project {tracking.project} has rows without "
                f"{GLOBAL_STEP}: ftdist did not write them.",
                remedy=f"run `ftdist sync {run.cli_name} --new` to create another W&B run.",
            ) from error

    def comparison_digest(self, run: RunDir, tracking: TrackingConfig) -> str:
        """Digest of a run's comparison on the server; "": it has none.

        Args:
            run: to look up.
            tracking: project and entity of the run.

        Raises:
            WandbError: the server is unreachable, rejects the key, or sends an unexpected response.
        """
        try:
            summary = json.loads(self._bucket(run, tracking).get("summaryMetrics") or "{}")
            return str(summary.get(DIGEST, ""))
        except (AttributeError, TypeError, ValueError):
            raise self._unreachable("the run's summary is not a JSON object") from None

    def send_alert(self, *, url: str, run_id: str, title: str, text: str, level: str) -> None:
        """Send an alert.

        Args:
            url: of the run's page, which names its user or team and its project.
            run_id: of the run.
            title: under 64 characters.
            text: what happened.
            level: INFO, WARN or ERROR.

        Raises:
            WandbError: the server is unreachable, or did not accept it.
        """
        entity, project = [unquote(part) for part in urlsplit(url).path.split("/")][-4:-2]
        variables = {
            "entityName": entity,
            "projectName": project,
            "runName": run_id,
            "title": title,
            "text": text,
            "severity": level,
            "waitDuration": _ALERT_WAIT_MS,
        }
        answer = self._query(_ALERT, variables, timeout_s=REQUEST_TIMEOUT_S)
        accepted = answer.get("notifyScriptableRunAlert") or {}
        if not accepted.get("success"):
            raise self._unreachable("it did not accept an alert")

    def _bucket(
        self, run: RunDir, tracking: TrackingConfig, *, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """The server's record of a run; empty if it does not know the run."""
        variables = {
            "project": tracking.project,
            "entity": tracking.entity or self.entity,
            "name": wandb_id(run),
        }
        limit_s = REQUEST_TIMEOUT_S if timeout_s is None else timeout_s
        model = self._query(_RUN, variables, timeout_s=limit_s).get("model") or {}
        return dict(model.get("bucket") or {})

    def _query(
        self, query: str, variables: Mapping[str, Any], *, timeout_s: float
    ) -> dict[str, Any]:
        credentials = base64.b64encode(f"api:{self.key}".encode()).decode()
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
        )
        try:
            with _OPENER.open(request, timeout=timeout_s) as response:
                body = json.load(response)
            if body.get("errors"):
                raise ValueError(body["errors"][0]["message"])
            return dict(body["data"])
        except urllib.error.HTTPError as error:
            error.close()  # the error is the response too
            rejected = error.code in (401, 403)
            reason = "the key was rejected" if rejected else error.reason
            raise self._unreachable(f"{reason} (HTTP {error.code})") from None
        except urllib.error.URLError as error:
            raise self._unreachable(str(error.reason)) from None
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            message = str(error) or type(error).__name__
            raise self._unreachable(" ".join(message.split())[:200]) from None

    def _unreachable(self, reason: str) -> WandbError:
        return WandbError(
            f"W&B is not available at {self.url}: {reason}.",
            remedy="check the network (HTTPS_PROXY, WANDB_BASE_URL) and the key (`wandb login`).",
        )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Never forwards the key to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def find_server(environment: Mapping[str, str]) -> WandbServer | None:
    """The server that wandb would use; None if there is no key for it.

    Args:
        environment: WANDB_BASE_URL, WANDB_API_KEY, WANDB_ENTITY, NETRC, WANDB_CONFIG_DIR and HOME
            are read.
    """
    url = _base_url(environment).rstrip("/")
    if urlsplit(url).scheme not in ("http", "https"):
        return None
    key = environment.get("WANDB_API_KEY") or _netrc_key(environment, host=urlsplit(url).netloc)
    return WandbServer(url=url, key=key, entity=environment.get("WANDB_ENTITY")) if key else None


def offline_reason(tracking: TrackingConfig, environment: Mapping[str, str]) -> str | None:
    """Why nothing is sent to a server, worded to follow "offline"; None if it is.

    Args:
        tracking: of the run.
        environment: WANDB_MODE and what `find_server` reads.
    """
    mode = environment.get("WANDB_MODE", "")
    if tracking.wandb in ("off", "offline"):
        return ""
    if tracking.wandb == "auto" and mode in OFFLINE_MODES:
        return f" (WANDB_MODE={mode})"
    if find_server(environment) is None:
        return " (no key in WANDB_API_KEY or ~/.netrc)"
    return None


def _base_url(environment: Mapping[str, str]) -> str:
    """The server's URL: from the environment, or as stored by `wandb login --host`."""
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
        entry = netrc.netrc(str(path)).authenticators(host)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return None
    return entry[2] if entry else None


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment["HOME"]) if environment.get("HOME") else Path.home()
