"""Attention and loss on the GPU, against float32 and float64 on the CPU."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ftdist.nn.loss import summed_loss

Result = dict[str, Any]
REPEATS = 20


def attention(kernel: str, *, device: torch.device, tokens: int, sample: int) -> Result:
    """One layer's attention over a packed row: milliseconds, peak memory, error.

    32 heads of 128 with 8 key heads in bfloat16; the error is the largest difference to the same
    by samples in float32, relative to its largest value.

    Args:
        kernel: as `model.attention` names it.
        device: to run on.
        tokens: of the row.
        sample: tokens of each of its samples.
    """
    heads, key_heads, width = (32, 8, 128) if device.type == "cuda" else (4, 2, 16)
    generator = torch.Generator().manual_seed(0)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32

    def states(count: int) -> Tensor:
        drawn = torch.randn(1, count, tokens, width, generator=generator)
        return drawn.to(device, dtype).requires_grad_()

    query, key, value = states(heads), states(key_heads), states(key_heads)
    attend = _attention(kernel, device=device, tokens=tokens, sample=sample)
    output = attend(query, key, value)
    exact = _attention("by_sample", device=torch.device("cpu"), tokens=tokens, sample=sample)(
        *(states.detach().cpu().float() for states in (query, key, value))
    )
    error = float((output.detach().cpu().float() - exact).abs().max() / exact.abs().max())

    def step() -> None:
        attend(query, key, value).float().sum().backward()
        query.grad = key.grad = value.grad = None

    return {"tokens": tokens, "sample": sample, "error": error, **_cost(step, device=device)}


def _attention(
    kernel: str, *, device: torch.device, tokens: int, sample: int
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    from ftdist.nn.attention_arguments import attention_arguments
    from ftdist.nn.attention_kernel import OWN_KERNELS, register_own_kernels

    register_own_kernels()
    function: Any = ALL_ATTENTION_FUNCTIONS[OWN_KERNELS.get(kernel, kernel)]
    borders = torch.arange(0, tokens + 1, sample, dtype=torch.int32, device=device)
    mask = _mask(tokens, sample, device=device) if kernel == "sdpa" else None
    arguments = attention_arguments(borders, sample)

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        module = torch.nn.Module()
        module.num_key_value_groups = query.shape[1] // key.shape[1]  # type: ignore[assignment]
        module.is_causal = True  # type: ignore[assignment]
        result: Tensor = function(
            module, query, key, value, mask, scaling=query.shape[-1] ** -0.5, **arguments
        )[0]
        return result

    return attend


def _mask(tokens: int, sample: int, *, device: torch.device) -> Tensor:
    number = torch.arange(tokens, device=device) // sample
    same: Tensor = number[:, None] == number[None]
    return same.tril()[None, None]


def loss(*, device: torch.device, vocabulary: int, width: int, targets: int) -> Result:
    """The chunked cross-entropy: milliseconds, peak memory, errors of loss and gradients.

    The errors are relative to float64 on the CPU, for 64 of the targets.
    """
    generator = torch.Generator().manual_seed(0)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32

    def draw(rows: int) -> Tensor:
        values: Tensor = torch.randn(rows, width, generator=generator) * width**-0.5
        return values.to(device, dtype).requires_grad_()

    hidden, head = draw(targets), draw(vocabulary)
    answers = torch.randint(vocabulary, (targets,), generator=generator).to(device)

    def step() -> None:
        summed_loss(hidden, head, answers)[0].backward()
        hidden.grad = head.grad = None

    cost = _cost(step, device=device)
    few = hidden[:64].detach().requires_grad_()
    total, _ = summed_loss(few, head, answers[:64])
    total.backward()
    exact_hidden, exact_head = (
        states.detach().cpu().double().requires_grad_() for states in (few, head)
    )
    exact = torch.nn.functional.cross_entropy(
        exact_hidden @ exact_head.T, answers[:64].cpu(), reduction="sum"
    )
    exact.backward()
    assert few.grad is not None
    assert exact_hidden.grad is not None
    of_hidden = (few.grad.cpu().double() - exact_hidden.grad).norm() / exact_hidden.grad.norm()
    return {
        "vocabulary": vocabulary,
        "targets": targets,
        "loss_error": abs(float(total) - float(exact)) / float(exact),
        "gradient_error": float(of_hidden),
        **cost,
    }


def _cost(step: Callable[[], None], *, device: torch.device) -> Result:
    """Median milliseconds of a step, forward and backward, and its peak memory in MiB."""
    on_gpu = device.type == "cuda"
    for _ in range(3):
        step()
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    times = []
    for _ in range(REPEATS if on_gpu else 3):
        began = time.perf_counter()
        step()
        if on_gpu:
            torch.cuda.synchronize()
        times.append((time.perf_counter() - began) * 1e3)
    peak = (torch.cuda.max_memory_allocated() - before) / 2**20 if on_gpu else float("nan")
    return {"ms": statistics.median(times), "peak_mib": peak}
