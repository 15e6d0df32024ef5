"""The short form of `tests/fuzz.py`: a few hundred damaged files of every format."""

import pytest
from fuzz import fuzz, mutated, sources


def test_damaged_files_give_a_value_or_one_line():
    totals, findings = fuzz(300, seed=1)
    assert findings == []
    assert sum(totals.values()) == 300
    for kind in ("png", "jpg", "webp", "tif", "bmp", "avif", "gif", "npy", "npz", "mat"):
        assert totals[f"{kind} refused"] > 0, f"no damaged {kind} was refused: {totals}"


@pytest.mark.parametrize("number", [0, 17, 40])
def test_the_same_seed_makes_the_same_files(number):
    files = sources()
    assert mutated(number, 5, files) == mutated(number, 5, files)
    assert mutated(number, 5, files) != mutated(number, 6, files)
