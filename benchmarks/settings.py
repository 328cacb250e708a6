"""What every configuration is given: the same model, rows, optimizer and ZeRO sizes."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PeerSettings:
    """What a peer's ranks are told, as JSON; read in two environments, so standard library only."""

    model: str
    """Folder of the model."""

    rows: str
    """JSONL of conversations, each one question and one answer."""

    log: str
    """Folder for the steps of each rank."""

    steps: int
    ranks: int
    sequence_length: int
    seed: int
    learning_rate: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    max_grad_norm: float
    zero: dict[str, int]
    """ZeRO sizes by DeepSpeed's names."""

    packed: bool
    """TRL only: whether several conversations share a row."""

    def write(self, path: Path) -> None:
        """Write the settings for ranks to read."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "PeerSettings":
        """Read settings that `write` wrote."""
        fields = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**fields, "betas": tuple(fields["betas"])})

    def conversations(self) -> list[list[dict[str, str]]]:
        """The messages of every row."""
        lines = Path(self.rows).read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["messages"] for line in lines]

    def deepspeed(self) -> dict[str, Any]:
        """ZeRO stage 3 in float32, with an optimizer that is handed in."""
        return {
            "train_micro_batch_size_per_gpu": 1,
            "gradient_accumulation_steps": 1,
            "gradient_clipping": self.max_grad_norm,
            "zero_optimization": {"stage": 3, **self.zero},
            "zero_allow_untested_optimizer": True,
            "zero_force_ds_cpu_optimizer": False,
            "steps_per_print": 2**31 - 1,
        }


def answer_mask(tokenizer: Any, messages: list[dict[str, str]]) -> tuple[list[int], list[bool]]:
    """Token ids of a conversation, and which of them belong to the last answer.

    The answer is what the whole has more than the question that asks for it.
    """
    question = _ids(tokenizer, messages[:-1], add_generation_prompt=True)
    whole = _ids(tokenizer, messages, add_generation_prompt=False)
    assert whole[: len(question)] == question, "this chat template writes questions in two ways"
    return whole, [at >= len(question) for at in range(len(whole))]


def _ids(
    tokenizer: Any, messages: list[dict[str, str]], *, add_generation_prompt: bool
) -> list[int]:
    text = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=add_generation_prompt
    )
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
