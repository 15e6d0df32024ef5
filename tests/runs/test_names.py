"""Names of results: the fields of a template, and pictures whose results would have one name."""

from pathlib import Path

import pytest

from kfsr.errors import UsageError
from kfsr.recipe import Recipe
from kfsr.runs.names import default_template, distinct, result_name


def named(source, template=None, **choices):
    recipe = Recipe.make(**choices)
    return result_name(Path(source), template or default_template(recipe), recipe)


def test_default_names():
    assert named("d/a.png", scale=4) == "a_x4.png"
    assert named("d/a.JPG", scale=1) == "a_sharp.JPG"
    assert named("d/a.gif") == "a_x2.png"
    assert named("d/a.png", scale=1.5) == "a_x1.5.png"
    assert named("d/a.png", size="1920x") == "a_1920x.png"


def test_every_field():
    template = "{stem}-{scale}-{size}-{source_ext}-{parent}{ext}"
    assert named("/some/where/a.gif", template, scale=3) == "a-3-x3-gif-where.png"
    assert named("/some/where/a.b.Tif", template, size="X99") == "a.b-2-x99-Tif-where.Tif"
    with pytest.raises(UsageError, match=r"{source_ext}, {parent} are filled in"):
        named("a.png", "{date}.png")


@pytest.mark.parametrize("template", ["{stem.__class__}", "{stem[0]}", "{0}", "{}", "{other}", "{", "{stem:d}"])
def test_nothing_else_is_filled_in(template):
    with pytest.raises(UsageError, match=r"only \{stem\}, "):
        result_name(Path("a.png"), template, Recipe())
    assert result_name(Path("abcdef.png"), "{stem:.3}{{{ext}", Recipe()) == "abc{.png"


def test_a_format_changes_the_ending():
    assert named("a.png", format="jpg") == "a_x2.jpg"
    assert named("a.JPEG", format="jpg") == "a_x2.JPEG"
    assert named("a.heic", format="webp") == "a_x2.webp"


def targets(*sources, template="{stem}_x2{ext}"):
    def target(path):
        return Path("out") / result_name(path, template, Recipe())

    pairs = [(Path(one), target(Path(one))) for one in sources]
    found = distinct(pairs, lambda path, stem: target(path.with_name(stem + path.suffix)))
    return [one.name for one in found]


@pytest.mark.filterwarnings("ignore:.*its result would have another one's name")
def test_who_keeps_the_ending_keeps_the_name():
    assert targets("a.gif", "a.png", "b.png") == ["a_gif_x2.png", "a_x2.png", "b_x2.png"]
    assert targets("a.gif", "a.heic") == ["a_gif_x2.png", "a_heic_x2.png"]
    assert targets("x/a.png", "y/a.png", "x/a.gif") == ["x_a_x2.png", "y_a_x2.png", "a_gif_x2.png"]
    assert targets("x/s/a.png", "y/s/a.png") == ["x_s_a_x2.png", "y_s_a_x2.png"]
    assert targets("a.gif", "a.png", template="{stem}{ext}") == ["a_gif.png", "a.png"]


def test_it_is_said():
    with pytest.warns(UserWarning, match=r"a\.gif: .* is called a_gif_x2\.png"):
        targets("a.gif", "a.png")
