"""Sizes of results: their forms, what they come to, and the scale that leads there."""

import pytest

from kfsr.errors import UsageError
from kfsr.recipe import Recipe
from kfsr.size import Size


@pytest.mark.parametrize(
    ("text", "size", "scale"),
    [
        ("1280x", (1280, 960), 2),
        ("x960", (1280, 960), 2),
        ("1280X2000", (1280, 960), 2),
        ("5000x1000", (1333, 1000), 3),
        ("640x", (640, 480), 1),
        ("641x", (641, 481), 2),
        ("1.5", (960, 720), 2),
        ("2.01", (1286, 965), 3),
    ],
)
def test_a_size_of_640_by_480(text, size, scale):
    wanted = Size.parse(text)
    assert (wanted.of(640, 480), wanted.scale_of(640, 480)) == (size, scale)


@pytest.mark.parametrize("text", ["", "x", "0x", "0x0", "5", "x1.5", "10 x 10", "-3x", "1x2x3", "0.5"])
def test_what_is_no_size(text):
    with pytest.raises(UsageError, match="is not a size"):
        Size.parse(text)


def test_too_large_and_too_small():
    with pytest.raises(UsageError, match=r"2600x1950 is 4.06 times the picture's 640x480, and 4 is the most"):
        Size.parse("2600x").scale_of(640, 480)
    with pytest.raises(UsageError, match="320x240 is smaller"):
        Size.parse("320x").scale_of(640, 480)


def test_a_recipe_for_a_picture():
    recipe = Recipe.make(scale=2.5)
    assert (recipe.scale, recipe.size) == (3, "2.5")
    assert recipe.fitted(10, 20) == (Recipe(scale=3), (25, 50))
    assert Recipe.make(recipe, scale=2) == Recipe()
    assert Recipe.make(size="30x").fitted(10, 20) == (Recipe(scale=3), None)
    assert Recipe().fitted(10, 20) == (Recipe(), None)
    for wrong in (0.5, 4.5, float("nan")):
        with pytest.raises(UsageError, match="not supported"):
            Recipe.make(scale=wrong)
    with pytest.raises(UsageError, match="leave one of them out"):
        Recipe.make(scale=2, size="30x")
