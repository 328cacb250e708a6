"""Imports all of ftdist and takes one training step, as a program of its own.

`python -m tests.support.older_torch MODEL_FOLDER [hide]`. With `hide`, torch first loses the names
that versions after 2.8 brought, so that a newer torch shows whether ftdist runs with that one.
"""

import importlib
import pkgutil
import sys
from contextlib import nullcontext

NEWER_THAN_2_8 = {
    "torch": ["thread_safe_generator"],
    "torch.nn": ["LinearCrossEntropyLoss", "LinearCrossEntropyOptions"],
    "torch.nn.functional": ["linear_cross_entropy", "grouped_mm", "scaled_mm"],
    "torch.distributed": ["all_gather_single", "reduce_scatter_single", "shrink_group"],
    "torch.nn.attention": ["activate_flash_attention_impl", "register_flash_attention_impl"],
    "torch.optim": ["Muon", "swap_in_optimizer_params_and_state"],
    "torch.accelerator": ["get_memory_info", "memory_allocated", "max_memory_allocated"],
    "torch.cuda": ["caching_allocator_disabled"],
}
"""Names of torch 2.13 that 2.8 lacks; and the module torch.nn.attention.varlen."""

OPTIONAL = ("torch", "transformers", "ftdist")
"""Roots of modules without which an import fails; others are extras that may be missing."""


def hide_newer_names() -> None:
    """Make torch raise as 2.8 does for what came later; transformers has looked before."""
    import transformers.modeling_utils  # noqa: F401

    for name, attributes in NEWER_THAN_2_8.items():
        module = importlib.import_module(name)
        for attribute in attributes:
            vars(module).pop(attribute, None)
    sys.modules["torch.nn.attention.varlen"] = None  # type: ignore[assignment]


def import_all() -> int:
    """Import every module of ftdist; their number."""
    imported = 0
    for root in ("ftdist", "ftdist_launch"):
        package = importlib.import_module(root)
        for module in pkgutil.walk_packages(package.__path__, f"{root}."):
            if module.name.endswith("__main__"):
                continue
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                if (error.name or "").split(".")[0] in OPTIONAL:
                    raise
            imported += 1
    return imported


def training_step(folder: str) -> tuple[float, float]:
    """Losses of one packed row before and after a step."""
    import torch

    from ftdist.data.collate import build_batch
    from ftdist.nn.model import PackedCausalLM, build_model
    from tests.support.models.packed_rows import sequences

    model = build_model(
        folder,
        dtype=torch.float32,
        attention="auto",
        device="cpu",
        activation_checkpointing="none",
        sharding=nullcontext(),
    )
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    packed, batch = PackedCausalLM(model), build_batch(sequences(2))
    optimizer = torch.optim.AdamW(packed.parameters(), lr=1e-2)
    losses = []
    for _ in range(2):
        loss, _ = packed(
            input_ids=batch.input_ids,
            position_ids=batch.position_ids,
            loss_positions=batch.loss_positions,
            targets=batch.targets,
            cu_seqlens=batch.cu_seqlens,
            max_seqlen=batch.max_seqlen,
        )
        (loss / len(batch.targets)).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses[0], losses[1]


if __name__ == "__main__":
    import torch
    import transformers

    if "hide" in sys.argv:
        hide_newer_names()
    print(f"torch {torch.__version__}, transformers {transformers.__version__}")
    print(f"modules: {import_all()}")
    before, after = training_step(sys.argv[1])
    print(f"loss: {before:.3f} {after:.3f}")
    assert after < before
