"""Values for the keys that `ftdist plan` would choose, where a test is about other things."""

FIXED_ENGINE = ("engine=zero3", "batch.micro_batch_size=1", "model.activation_checkpointing=full")


def fixed_engine(*overrides: str) -> list[str]:
    """`overrides`, after fixed values for the keys of the engine that they leave open."""
    typed = {override.partition("=")[0] for override in overrides}
    return [*(each for each in FIXED_ENGINE if each.partition("=")[0] not in typed), *overrides]
