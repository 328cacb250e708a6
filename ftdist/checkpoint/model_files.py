"""Digests of a base model's files, which tell whether they changed, and a run's own copy of them.

Imports no torch.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from ftdist.errors import ModelError
from ftdist.io.atomic_dir import atomic_dir
from ftdist.io.filesystem import storage_errors
from ftdist.io.hashing import file_sha256
from ftdist.plan.stored_tensors import StoredTensor, read_header, weight_files

CONFIG_FILES = ("config.json", "generation_config.json")

_TOKENIZER_PATTERNS = (
    *("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
    *("vocab.txt", "merges.txt", "*.model", "*.jinja", "chat_template.json"),
    "additional_chat_templates/*.jinja",
)
"""Of the files that are downloaded: another program may add others to the Hub's cache."""

MAX_WHOLE_BYTES = 1 << 28
"""Size of all weights up to which every byte of them is hashed."""

SAMPLE_BYTES = 1 << 12
"""Bytes at the beginning, in the middle and at the end of each tensor of larger weights."""

_THREADS = min(8, os.cpu_count() or 1)


def config_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the model's config files in a folder, by name."""
    return _digests(folder, [folder / name for name in CONFIG_FILES])


def tokenizer_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the files of tokenizer and chat template in a folder, by name."""
    found = {path for pattern in _TOKENIZER_PATTERNS for path in folder.glob(pattern)}
    return _digests(folder, found)


def is_tokenizer_file(name: str, *, is_new: bool) -> bool:
    """Whether a file decides how text is read.

    Args:
        name: relative to the model's folder.
        is_new: whether it came later: then only settings and chat templates are read beside
            the files that were there before.
    """
    if is_new:
        return name.endswith((".json", ".jinja"))
    return any(fnmatch(name, pattern) for pattern in _TOKENIZER_PATTERNS)


def weight_digests(folder: Path, *, rank: int = 0, size: int = 1) -> dict[str, str]:
    """A digest of each safetensors file of the model in a folder; empty where there is none.

    Weights of up to `MAX_WHOLE_BYTES` are hashed completely. Of larger ones, each file's size and
    header, and `SAMPLE_BYTES` at the beginning, in the middle and at the end of each tensor: about
    12 KiB per tensor, 10 MiB for a model of 70 B parameters, whatever its size. Weights that were
    trained, scaled, cast or replaced are found. What changes only elsewhere is not: a single
    flipped bit, or edited rows inside a large matrix.

    Args:
        folder: of the model.
        rank: of the reader, which reads its share of the files.
        size: number of readers, which together read all.
    """
    try:
        files = weight_files(folder)
    except ModelError:
        return {}
    with storage_errors("read", folder):
        is_small = sum(file.stat().st_size for file in files) <= MAX_WHOLE_BYTES
        own = sorted(files)[rank::size]
        with ThreadPoolExecutor(_THREADS) as pool:
            digests = pool.map(file_sha256 if is_small else _sampled, own)
            return {file.name: digest for file, digest in zip(own, digests, strict=True)}


def copy_small_files(folder: Path, target: Path) -> None:
    """Copy config, tokenizer and chat template of a model; `target` appears whole.

    Raises:
        StorageError: they cannot be read or written.
    """
    with storage_errors("copy", folder), atomic_dir(target, replace=True) as tmp:
        for name in (*config_digests(folder), *tokenizer_digests(folder)):
            (tmp / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(folder / name, tmp / name)


def _digests(folder: Path, paths: set[Path] | list[Path]) -> dict[str, str]:
    with storage_errors("read", folder):
        return {
            str(path.relative_to(folder)): file_sha256(path)
            for path in sorted(paths)
            if path.is_file()
        }


def _sampled(file: Path) -> str:
    """Digest of a file's size, header and samples of its tensors."""
    try:
        tensors = list(read_header(file).values())
    except ModelError:
        return "damaged"
    size = file.stat().st_size
    data = min((tensor.start for tensor in tensors), default=size)
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as stream:
        digest.update(stream.read(data))
        for tensor in sorted(tensors, key=lambda tensor: tensor.start):
            for start in _samples(tensor):
                stream.seek(start)
                digest.update(stream.read(min(SAMPLE_BYTES, tensor.end - start)))
    return f"sampled:{digest.hexdigest()}"


def _samples(tensor: StoredTensor) -> Iterator[int]:
    """Where the samples of a tensor begin."""
    last = max(tensor.start, tensor.end - SAMPLE_BYTES)
    yield from dict.fromkeys((tensor.start, (tensor.start + last) // 2, last))
