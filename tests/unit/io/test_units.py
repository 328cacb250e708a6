import pytest

from ftdist.io.units import format_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0s"), (59.6, "1m00s"), (200.0, "3m20s"), (18_420.0, "5h07m"), (183_600.0, "2d03h")],
)
def test_format_duration(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
