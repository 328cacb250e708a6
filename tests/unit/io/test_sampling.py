from ftdist.io.sampling import evenly_spaced


def test_evenly_spaced_items_begin_with_the_first() -> None:
    assert evenly_spaced(range(10), 4) == [0, 2, 5, 7]
    assert evenly_spaced("abc", 3) == ["a", "b", "c"]
    assert evenly_spaced([], 3) == []


def test_evenly_spaced_items_can_end_with_the_last() -> None:
    assert evenly_spaced(range(10), 4, with_last=True) == [0, 3, 6, 9]
    assert evenly_spaced([1], 4, with_last=True) == [1]
