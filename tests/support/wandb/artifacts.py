"""The artifacts of the stand-in for the W&B server: as much as a logged table asks for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Operation = Callable[[Mapping[str, Any]], dict[str, Any]]
_ANY_TIME = "2026-01-01T00:00:00Z"


@dataclass(kw_only=True)
class LoopbackArtifact:
    """One version of an artifact as the server knows it."""

    name: str
    type: str
    digest: str
    project: str
    state: str = "PENDING"
    is_input: bool = False
    """Whether a run uses it."""

    uploads: list[str] = field(default_factory=list)
    """Where its files are uploaded to."""


class Artifacts:
    """Artifacts by their ids, and what can be asked of them.

    Args:
        upload_url: where a file of some name is uploaded to.
    """

    def __init__(self, upload_url: Callable[[str], str]) -> None:
        self.known: dict[str, LoopbackArtifact] = {}
        self.refuses = False
        """Whether none is made any more."""
        self._upload_url = upload_url
        self.operations: dict[str, Operation] = {
            "ArtifactType": lambda _: {"project": {"artifact": None}},
            "CreateArtifact": self._create,
            "CreateArtifactManifest": self._create_manifest,
            "CreateArtifactFiles": self._create_files,
            "CommitArtifact": self._commit,
            "ArtifactByID": self._by_id,
            "UseArtifact": self._use,
        }

    def committed(self, beginning: str) -> list[LoopbackArtifact]:
        """The whole versions of artifacts by the beginning of their names, oldest first."""
        found = [made for made in self.known.values() if made.name.startswith(beginning)]
        return [made for made in found if made.state == "COMMITTED"]

    def _create(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        asked = variables["input"]
        if self.refuses:
            return {"createArtifact": None}
        known = f"a{len(self.known)}"
        self.known[known] = LoopbackArtifact(
            name=asked["artifactCollectionName"],
            type=asked["artifactTypeName"],
            digest=asked["digest"],
            project=asked["projectName"],
        )
        made = {"id": known, "state": "PENDING", "artifactSequence": {"latestArtifact": None}}
        return {"createArtifact": {"artifact": made}}

    def _create_manifest(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        known = variables["artifactID"]
        place = (
            self._upload_url(f"{known}/{variables['name']}")
            if variables.get("includeUpload")
            else None
        )
        file: dict[str, Any] = {"id": f"m-{known}", "uploadUrl": place, "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": f"m-{known}", "file": file}}}

    def _create_files(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        edges = []
        for asked in variables["input"]["artifactFiles"]:
            known, name = asked["artifactID"], asked["name"]
            self.known[known].uploads.append(f"{known}/{name}")
            node: dict[str, Any] = {
                "storagePath": f"{known}/{name}",
                "uploadUrl": self._upload_url(f"{known}/{name}"),
                "uploadHeaders": [],
                "uploadMultipartUrls": None,
                "artifact": {"id": known},
            }
            edges.append({"node": node})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _commit(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        made = self.known[variables["artifactID"]]
        made.state = "COMMITTED"
        return {
            "commitArtifact": {"artifact": {"id": variables["artifactID"], "digest": made.digest}}
        }

    def _use(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        known = variables.get("artifactID") or variables["input"]["artifactID"]
        self.known[known].is_input = True
        return {"useArtifact": {"artifact": {"id": known}}}

    def _by_id(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        made = self.known[variables["id"]]
        project = {"id": "p", "internalId": "1", "name": made.project, "entity": {"name": "e"}}
        output = {
            "__typename": "Artifact",
            "id": variables["id"],
            "artifactSequence": {
                "__typename": "ArtifactSequence",
                "name": made.name,
                "project": project,
            },
            "versionIndex": 0,
            "artifactType": {"name": made.type},
            "description": None,
            "metadata": None,
            "ttlDurationSeconds": -1,
            "ttlIsInherited": False,
            "tags": [],
            "historyStep": None,
            "state": made.state,
            "size": 1,
            "digest": made.digest,
            "digestAlgorithm": None,
            "commitHash": None,
            "fileCount": len(made.uploads),
            "createdAt": _ANY_TIME,
            "updatedAt": None,
            "aliases": [],
        }
        return {"artifact": output}
