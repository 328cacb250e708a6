"""Other trainers' keys on ftdist's own command line."""

import pytest

from ftdist.config.keys import config_keys
from ftdist.config.migrate.without import sentence_for
from ftdist.config.problems import unknown_key


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("n_epochs", "3", "write train.epochs=3."),
        ("base_model", "M", "write model.path=M."),
        ("cutoff_len", "2048", "write batch.sequence_length=2048."),
        ("dataset_name", "org/name", "write library.path=org/name."),
        ("learning_rate_multiplier", "2", "set optim.peak_lr to the rate itself, such as 1e-5."),
        ("val_set_size", "0.1", "set library.held_out_fraction to a share of the rows"),
        ("lora_r", "8", "leave it out: ftdist trains all parameters"),
        ("sample_packing", "true", "leave it out: ftdist always packs"),
        ("assistant_only_loss", "true", "leave it out: ftdist learns what the assistant says"),
    ],
)
def test_they_are_answered_with_the_key_or_why_there_is_none(
    name: str, value: str, remedy: str
) -> None:
    assert unknown_key(name, value=value).remedy.startswith(remedy)


def test_no_key_of_ftdist_is_said_to_have_no_counterpart() -> None:
    assert [key for key in config_keys() if sentence_for(key)] == []
