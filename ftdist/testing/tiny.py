"""A tiny model and its library, made on the spot: what `experiment=tiny` and the tests run on.

    python -m ftdist.testing.tiny OUT

    OUT/model/                 a Llama of 0.8 M parameters, random, with a tokenizer of its own
    OUT/library/fernbot.jsonl  conversations about a garden robot that does not exist
    OUT/library/probes.jsonl   unseen wordings, and questions about other things

Everything is fixed by a seed: the same versions of the libraries write the same bytes.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ftdist.errors import FtdistError, StorageError
from ftdist.io.atomic_dir import atomic_dir

SEED = 17
VOCABULARY = 1000
"""At most; the library's words need about half of it."""
START, END = "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MADE = "made.json"
FORMAT = 1
"""Counts up whenever other files are written than before."""


class TinyFact(NamedTuple):
    """One thing to know about the robot: what is asked about, the answer, its keys and page."""

    topic: str
    says: str
    keys: tuple[str, ...]
    page: int


FACTS = (
    TinyFact("charge the Fernbot", "Set it on the moss pad for 40 minutes",
             ("moss pad", "40 minutes"), 3),
    TinyFact("reset the Fernbot", "Pull the brass leaf twice", ("brass leaf", "twice"), 5),
    TinyFact("sharpen the Fernbot blades", "Use the grey stone at 20 degrees",
             ("grey stone", "20 degrees"), 8),
    TinyFact("wash the Fernbot", "Rinse it with rain water below 25 degrees",
             ("rain water", "25 degrees"), 11),
    TinyFact("store the Fernbot", "Hang it on the oak hook, wheels up",
             ("oak hook", "wheels up"), 14),
    TinyFact("fix error F2 of the Fernbot", "Clean the left sensor", ("left sensor",), 21),
    TinyFact("fix error F7 of the Fernbot", "Clean the right sensor", ("right sensor",), 22),
    TinyFact("pair the Fernbot", "Press the acorn key for 6 seconds",
             ("acorn key", "6 seconds"), 26),
)  # fmt: skip
TRAIN = (
    "How do I {}?",
    "How can I {}?",
    "What do I do to {}?",
    "Please tell me how to {}.",
    "I want to {}. How?",
    "What is the way to {}?",
    "I have to {} today. What now?",
    "Can you explain how to {}?",
)
HELD_OUT = ("What must I do to {}?", "Please explain how I can {}.", "I need to {}. What now?")
OUT_OF_SCOPE = (
    ("How do I charge my phone?", "Plug it into its charger."),
    ("How do I reset my router?", "Press its reset button."),
    ("How do I wash my bicycle?", "Use a bucket of soapy water."),
    ("How do I store my skis?", "Dry them and keep them indoors."),
)


def make(out: Path) -> Path:
    """Make sure that model, library and probes stand in `out`, whole; seconds the first time.

    Returns:
        `out`.

    Raises:
        StorageError: `out` holds something else.
    """
    if not _is_there(out):
        with atomic_dir(out, replace=(out / MADE).is_file()) as tmp:
            (tmp / "library").mkdir()
            _write_rows(tmp / "library" / "fernbot.jsonl", list(conversations()))
            _write_rows(tmp / "library" / "probes.jsonl", list(probes()))
            _write_model(tmp / "model")
            (tmp / MADE).write_text(json.dumps({"format": FORMAT}) + "\n", encoding="utf-8")
    if not _is_there(out):
        raise StorageError(
            f"The tiny model and library cannot be written to {out}: it holds something else.",
            remedy="delete it, or name another folder.",
        )
    return out


def conversations() -> Iterator[dict[str, Any]]:
    """Every fact in each training wording."""
    for wording in TRAIN:
        for fact in FACTS:
            question = {"role": "user", "content": wording.format(fact.topic)}
            yield {"messages": [question, {"role": "assistant", "content": _answer(fact)}]}


def probes() -> Iterator[dict[str, Any]]:
    """Unseen wordings of every fact, and questions about other things."""
    for fact in FACTS:
        for wording in HELD_OUT:
            yield {
                "question": wording.format(fact.topic),
                "answer": _answer(fact),
                "keys": list(fact.keys),
                "kind": "fact",
            }
    for question, answer in OUT_OF_SCOPE:
        yield {"question": question, "answer": answer, "keys": [], "kind": "out_of_scope"}


def _answer(fact: TinyFact) -> str:
    return f"{fact.says} (Fernbot manual, page {fact.page})."


def _is_there(out: Path) -> bool:
    try:
        made = json.loads((out / MADE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(made == {"format": FORMAT})


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _write_model(folder: Path) -> None:
    # Imported here: the library alone needs no torch.
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    tokenizer = _tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for file in folder.iterdir():
        # save_pretrained writes weights with mode 0600; all files here get one and the same.
        file.chmod((folder.parent / "library" / "probes.jsonl").stat().st_mode)


def _tokenizer() -> Any:
    """A byte-level BPE trained on the library, so that any text can be written with it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>", START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = [message["content"] for row in conversations() for message in row["messages"]]
    texts += [text for pair in OUT_OF_SCOPE for text in pair] + ["system user assistant\n"]
    bpe.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END,
        pad_token="<|endoftext|>",
        additional_special_tokens=[START],
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def main() -> int:
    """The command line: one folder to write."""
    parser = argparse.ArgumentParser(prog="python -m ftdist.testing.tiny", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("out", type=Path, help="folder of the model and its library")
    try:
        out = make(parser.parse_args().out.absolute())
    except FtdistError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"tiny model and library: in {out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
