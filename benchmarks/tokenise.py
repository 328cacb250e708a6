"""Rows to packed tokens, order and mixing: as ratios to the tokenizer alone, within one run.

    python -m benchmarks.tokenise --model FOLDER --rows FILE.jsonl [--times 4] [--out FILE.json]

The tokenizer alone gets the texts rendered, in memory, and all cores; ftdist gets the file, and
ends with packed files on disk: it reads, renders, tells answers from the rest, tokenises, packs.
Both tokenise the same texts whole; what is longer than a sequence ftdist cuts afterwards. Measured
twice: as everyone calls the tokenizer (`encode_batch`), and without the account of which characters
each token stands for (`encode_batch_fast`).
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftdist.data.chat_encoder import ChatEncoder
from ftdist.data.sampler import Order
from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.schema import Conversation
from ftdist.library.sources.reference import DataReference
from ftdist.plan.dataset_info import PackedSourceInfo
from ftdist.prepare.data_files import find_files
from ftdist.prepare.source import SourceBuilder
from ftdist.prepare.tokenize_shard import BuildSettings

_ROUNDS = 3
_TEXTS_AT_ONCE = 1024
"""That the tokenizer alone is given: to keep the encodings of all would make it slower."""

_SEQUENCE_TOKENS = 2048
_SHARES = (0.7, 0.2, 0.1)
_SEQUENCES = 1_000_000
_STEPS, _GLOBAL_SEQUENCES = 2_000, 64


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="folder with the tokenizer")
    parser.add_argument("--rows", type=Path, required=True, help="conversations")
    parser.add_argument("--times", type=int, default=1, help="the rows, so many times over")
    parser.add_argument("--out", type=Path, help="JSON file")
    args = parser.parse_args()
    results = measure(args.model, args.rows, times=args.times) | order()
    text = json.dumps(results, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")


def measure(model: Path, rows: Path, *, times: int) -> dict[str, Any]:
    """Seconds that each takes for the same texts, turn about, and their ratio."""
    # Every process that ftdist starts imports this module again, as it would ftdist's own.
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    encoder = ChatEncoder(tokenizer, system_prompt=None)  # gives a template where there is none
    chats = [
        [dict(message) for message in row.messages]
        for row in read_conversations(rows, name="rows")
        if isinstance(row, Conversation)
    ] * times
    texts = [tokenizer.apply_chat_template(chat, tokenize=False) for chat in chats]
    backend = tokenizer.backend_tokenizer
    alone: list[float] = []
    fast: list[float] = []
    ours: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "source", Path(folder) / "out"
        source.mkdir()
        with (source / "rows.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps({"messages": chat}) + "\n" for chat in chats)
        ways = [(backend.encode_batch, alone), (backend.encode_batch_fast, fast)]
        for turn in range(_ROUNDS):
            out.mkdir()
            for encode, seconds in ways[:: -1 if turn % 2 else 1]:
                began = time.perf_counter()
                tokens = _tokens_of(encode, texts)
                seconds.append(time.perf_counter() - began)
            began = time.perf_counter()
            facts = _build(source, out, encoder=encoder)
            ours.append(time.perf_counter() - began)
            shutil.rmtree(out)
    ratios = [theirs / own for theirs, own in zip(alone, ours, strict=True)]
    ratios_fast = [theirs / own for theirs, own in zip(fast, ours, strict=True)]
    return {
        "conversations": len(chats),
        "tokens": tokens,
        "cores": len(os.sched_getaffinity(0)),
        "tokenizers_s": [round(seconds, 2) for seconds in alone],
        "tokenizers_fast_s": [round(seconds, 2) for seconds in fast],
        "ftdist_s": [round(seconds, 2) for seconds in ours],
        "ratios": [round(ratio, 3) for ratio in ratios],
        "ratio": round(statistics.median(ratios), 3),
        "ratio_to_fast": round(statistics.median(ratios_fast), 3),
        "filled": round(facts.tokens / (facts.sequences * _SEQUENCE_TOKENS), 4),
    }


def _tokens_of(encode: Callable[..., list[Any]], texts: list[str]) -> int:
    """Tokenise all texts, and count; nothing is kept."""
    return sum(
        sum(map(len, encode(texts[first : first + _TEXTS_AT_ONCE], add_special_tokens=False)))
        for first in range(0, len(texts), _TEXTS_AT_ONCE)
    )


def _build(source: Path, out: Path, *, encoder: ChatEncoder) -> PackedSourceInfo:
    """From rows to packed files."""
    settings = BuildSettings(
        sequence_length=_SEQUENCE_TOKENS,
        overlong="truncate",
        on_invalid_row="error",
        held_out=0,
        seed=1,
    )
    builder = SourceBuilder(name="rows", folder=out, encoder=encoder, settings=settings)
    facts, _ = builder.build(find_files(DataReference(path=str(source)), key="rows"))
    return facts


def order() -> dict[str, Any]:
    """Microseconds a sequence that order and mixing take, the first shuffles included."""
    sources = tuple(max(1, round(share * _SEQUENCES)) for share in _SHARES)
    whole = Order(seed=1, sequences=sources, shares=_SHARES, global_sequences=_GLOBAL_SEQUENCES)
    began = time.perf_counter()
    seen = sum(len(whole.step(step)) for step in range(_STEPS))
    return {
        "ordered_sequences": seen,
        "order_us_per_sequence": round((time.perf_counter() - began) / seen * 1e6, 2),
    }


if __name__ == "__main__":
    main()
