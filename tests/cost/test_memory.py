"""The cost model: amounts as people write them, and tiles that fit."""

import pytest

from kfsr.cost.memory import in_bytes, in_words, largest_tile, peak
from kfsr.errors import UsageError
from kfsr.recipe import Recipe
from kfsr.solvers.tiles import SMALLEST


@pytest.mark.parametrize(
    ("words", "size"),
    [("4G", 4 * 2**30), ("800M", 800 * 2**20), ("1.5g", 3 * 2**29), ("2GiB", 2**31), ("512 ", 512), ("64kb", 2**16)],
)
def test_amounts(words, size):
    assert in_bytes(words) == size


@pytest.mark.parametrize("words", ["", "G", "-1G", "0", "0.0M", "4 potatoes", "4GG", "1e9", "nan"])
def test_what_is_no_amount(words):
    with pytest.raises(UsageError, match="write it like"):
        in_bytes(words)


@pytest.mark.parametrize(("size", "words"), [(1, "1M"), (800 * 2**20, "800M"), (2**30, "1G"), (1.41 * 2**30, "1.5G")])
def test_in_words_is_never_less(size, words):
    assert in_words(int(size)) == words
    assert in_bytes(words) >= int(size)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("pixels", [1, 10**6, 24 * 10**6])
def test_tiles_grow_with_the_limit(pixels, scale):
    """From the least that the message names; with its tile the picture stays within the limit."""
    recipe = Recipe.make(scale=scale)
    with pytest.raises(UsageError) as caught:
        largest_tile(1, pixels, recipe)
    least = in_bytes(str(caught.value).split("which takes ")[1].split(";")[0])
    sides = [largest_tile(least * n, pixels, recipe) for n in (1, 2, 4)]
    assert SMALLEST <= sides[0] < sides[1] < sides[2]
    assert all(side % 8 == 0 for side in sides)
    for n, side in zip((1, 2, 4), sides, strict=True):
        assert peak(pixels, recipe, tile=side) <= least * n


def test_a_method_is_refused_for_what_it_takes_itself():
    small = 128 * 96
    names = ("edges", "spectral", "kernelfusion")
    limits = [peak(small, Recipe.make(kernel_method=name), tile=SMALLEST) for name in names]
    assert limits == sorted(limits)
    assert limits[0] < 800 * 2**20, "the limit that the help gives as an example"
