"""Estimates of time and memory: in the right order, for every recipe there is."""

import itertools
import math

import pytest

from kfsr.cost import model as cost
from kfsr.estimators import registry as estimators
from kfsr.recipe import Recipe
from kfsr.settings import PRESETS
from kfsr.solvers import registry as solvers

FAST = Recipe.make(preset="fast")


@pytest.mark.parametrize(
    ("scale", "preset", "method", "solver"),
    [
        (scale, *rest)
        for scale in (1, 2, 4)
        for rest in itertools.product(PRESETS, estimators.names(scale), solvers.names(scale))
    ],
)
def test_every_recipe_has_a_cost_that_grows_with_the_picture(scale, preset, method, solver):
    recipe = Recipe.make(scale=scale, preset=preset, kernel_method=method, solver=solver)
    small, large = (cost.of_picture(side**2, recipe) for side in (100, 1000))
    assert 0 < small.seconds < large.seconds < math.inf
    assert 100 < small.memory_mib < large.memory_mib < math.inf


def test_more_work_takes_longer():
    of = [cost.of_picture(300**2, Recipe.make(preset=preset)).seconds for preset in ("fast", "balanced", "best")]
    assert of == sorted(of)
    given = cost.of_picture(300**2, FAST, has_kernel=True)
    assert given.seconds < cost.of_picture(300**2, FAST).seconds


def test_the_joint_picture_takes_more_of_both_the_larger_it_is():
    fused = Recipe.make(FAST, kernel_method="kernelfusion")
    for side, times in ((48, 1), (480, 50)):
        windows, whole = (cost.of_picture(side**2, Recipe.make(fused, joint=joint)) for joint in (False, True))
        assert whole.seconds > 0.9 * times * (windows.seconds - 20)
    assert whole.memory_mib > 3000 > windows.memory_mib


def test_processes_share_time_and_add_memory():
    each = [cost.of_picture(300**2, FAST)] * 8
    one, four = cost.of_run(each, [], 1), cost.of_run(each, [], 4)
    assert four.seconds < one.seconds
    assert four.memory_mib > 4 * each[0].memory_mib
    assert cost.of_run(each, each, 1).seconds > one.seconds
    assert cost.of_run([], [], 1).seconds == cost.START


@pytest.mark.parametrize(("seconds", "words"), [(0.1, "1 s"), (59, "59 s"), (300, "5 min"), (7200, "2.0 h")])
def test_in_words(seconds, words):
    assert cost.Cost(seconds, 2048).in_words() == f"about {words} and 2.0 GiB"
