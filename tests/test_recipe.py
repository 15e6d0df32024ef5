"""The recipe: its invariants, its file, its digest."""

import json
from dataclasses import replace

import pytest

import kfsr
from kfsr.errors import InputError, UsageError
from kfsr.recipe import Recipe, preset_named
from kfsr.settings import PRESETS, PerScale


@pytest.mark.parametrize("preset", PRESETS)
def test_a_file_holds_the_whole_recipe(preset, tmp_path):
    recipe = Recipe.make(
        preset=preset, scale=4, kernel_method="ikl", kernel_init="gaussian", uncertainty=0.5, refine=False
    )
    (tmp_path / "r.toml").write_text(recipe.to_toml())
    assert Recipe.from_toml(tmp_path / "r.toml") == recipe
    json.dumps(recipe.as_dict(), allow_nan=False)


def test_what_a_file_leaves_out_keeps_its_default(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('preset = "fast"\n[settings.edges]\nwindows = 2\n[settings.unrolled.gate]\nwindow = 50\n')
    recipe = Recipe.from_toml(path)
    fast = PRESETS["fast"]
    assert recipe.scale == 2
    assert recipe.settings.edges == replace(fast.edges, windows=2)
    assert recipe.settings.unrolled.gate == replace(fast.unrolled.gate, window=50)
    assert recipe.settings.ikl == fast.ikl


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scale = 5", "scale 5"),
        ("scal = 2", "did you mean scale"),
        ("[settings.ikl]\nbatch = 'many'", "settings.ikl.batch is of type int"),
        ("[settings.ikl]\nwarm = 1", "no settings.ikl.warm; did you mean warm_up"),
        ("[settings.refine.inertia]\nx2 = true", "settings.refine.inertia.x2 is of type float"),
        ("settings = 3", "a table"),
        ("[settings.shake]\nsharpness_starts = ['far']", "settings.shake.sharpness_starts is of type float"),
        ("preset = 'magic'", "fast, balanced, best"),
        ("scale = ", "not a recipe"),
        ("kernel = 'k.npy'\nkernel_method = 'ikl'", "--kernel gives the kernel"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_what_is_wrong(text, message, tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"r\.toml: .*{message}"):
        Recipe.from_toml(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        Recipe.from_toml(tmp_path / "r.toml")


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"scale": 5}, "scale 5"),
        ({"scale": True}, "scale True"),
        ({"uncertainty": -0.1}, "between 0 and 2"),
        ({"seed": -1}, "seed"),
        ({"quality": 0}, "quality"),
        ({"trust_kernel": True}, "needs a kernel file"),
        ({"solvr": "zssr"}, "did you mean solver"),
        ({"preset": "magic"}, "fast, balanced, best"),
    ],
)
def test_what_cannot_be_meant(choices, message):
    with pytest.raises(UsageError, match=message):
        Recipe.make(**choices)


def test_a_scale_in_the_recipes_place_is_explained():
    with pytest.raises(UsageError, match="scale=4"):
        kfsr.upscale(None, 4)


def test_choices_change_the_base_and_none_is_no_choice():
    base = Recipe.make(preset="fast", seed=3, solver="zssr")
    assert Recipe.make(base, seed=None, solver="unfolding") == replace(base, solver="unfolding")
    assert Recipe.make(base, preset="best").settings == PRESETS["best"]
    own = replace(PRESETS["fast"], tile=512)
    assert Recipe.make(preset="best", settings=own).settings == own


def test_the_digest_knows_all_that_decides(tmp_path):
    weights = tmp_path / "w.pth"
    weights.write_bytes(b"one")
    recipe = Recipe.make(weights=weights)
    digest = recipe.digest()
    assert digest == Recipe.make(weights=weights).digest()
    changed = [
        Recipe.make(recipe, seed=1),
        Recipe.make(recipe, settings=replace(recipe.settings, tile=512)),
        Recipe.make(recipe, preset="fast"),
    ]
    assert len({digest, recipe.digest("more"), *(one.digest() for one in changed)}) == 5
    weights.write_bytes(b"two")
    assert recipe.digest() != digest
    weights.unlink()
    with pytest.raises(InputError, match=r"w\.pth"):
        recipe.digest()


def test_numbers_for_each_scale():
    numbers = PerScale(x1=0.1, x2=0.2, x3=0.3, x4=0.4)
    assert [numbers.at(scale) for scale in (1, 2, 3, 4)] == [0.1, 0.2, 0.3, 0.4]
    for scale in (0, 5):
        with pytest.raises(UsageError, match=f"scale {scale}"):
            numbers.at(scale)


def test_presets_have_names():
    assert preset_named("fast") is PRESETS["fast"]
