"""A curated library written file by file, without a curation."""

import json
from collections.abc import Sequence
from pathlib import Path

from ftdist.data.messages import Message
from ftdist.io.hashing import file_sha256
from ftdist.library.schema import Sample
from ftdist.library.store.dataset import FORMAT, MANIFEST
from ftdist.library.store.samples import write_samples


def exchange(question: str, answer: str, *, context: str = "") -> Sample:
    """A sample of one question and its answer."""
    messages = (
        Message(role="user", content=question),
        Message(role="assistant", content=answer),
    )
    return Sample(
        messages=messages, context=context, location=question, made_by="as written", doc_id="d"
    )


def write_curated(folder: Path, train: Sequence[Sample], held_out: Sequence[Sample] = ()) -> Path:
    """A curated library of one source."""
    (folder / "data").mkdir(parents=True)
    files = {}
    for part, samples in (("train", train), ("held_out", held_out)):
        path = folder / f"data/{part}.parquet"
        write_samples(path, samples)
        digest = file_sha256(path)
        files[part] = {"name": f"data/{part}.parquet", "samples": len(samples), "sha256": digest}
    source = {"name": "manual", "role": "library", "weight": 1.0, "files": files}
    manifest = {"format": FORMAT, "shares": {}, "sources": [source]}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder
