"""What "it" stands for in a command."""

from ftdist.library.synthesis.pronouns import with_object_before


def test_it_in_a_command_is_the_object_before() -> None:
    assert with_object_before("Unscrew the tip and leave it overnight in a glass") == (
        "Unscrew the tip and leave the tip overnight in a glass"
    )
    assert with_object_before("Empty the bin, turn it round and lift it off") == (
        "Empty the bin, turn the bin round and lift the bin off"
    )
    for unclear in (
        "Push the basket in and close it firmly",
        "Set the hopper on the body and turn it clockwise",
        "Wash the lid and the hopper and dry it",
        "Empty the bin and press the switch until it clicks",
    ):
        assert with_object_before(unclear) == unclear
