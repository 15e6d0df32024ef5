"""The cost model against processes: dry run, `--max-memory` and the measured peak hold together for every method."""

import json
from dataclasses import replace

import pytest
from process import kfsr_run
from skimage import data

from kfsr.cost.memory import in_bytes, in_words, peak
from kfsr.estimators import registry as estimators
from kfsr.image import Image, write_image
from kfsr.recipe import Recipe
from kfsr.settings import (
    EdgesSettings,
    IklSettings,
    KernelFusionSettings,
    PatchSettings,
    Settings,
    UnfoldingSettings,
    ZssrSettings,
)
from kfsr.solvers import registry as solvers

QUICK = PatchSettings(steps=2)
BRIEF = Settings(
    edges=EdgesSettings(iterations=1, polish_iterations=1),
    ikl=IklSettings(patch=QUICK, iterations=2, warm_up=1),
    unfolding=UnfoldingSettings(prior=QUICK, iterations=1),
    zssr=ZssrSettings(steps=2),
    kernelfusion=KernelFusionSettings(patch=replace(QUICK, width=32), steps=2, first_rounds=1, rounds=1),
)
"""All sizes as they are by default, and next to no steps: memory does not grow with these."""

CASES = [
    *({"kernel_method": name, "solver": "bicubic"} for name in estimators.names(2)),
    *({"kernel_method": "bicubic", "solver": name} for name in solvers.names() if name != "bicubic"),
    {"kernel_method": "kernelfusion", "joint": True},
]


@pytest.mark.parametrize("choices", CASES, ids=lambda choices: " ".join(map(str, choices.values())))
def test_what_is_said_is_what_it_takes(choices, tmp_path):
    write_image(Image.from_array(data.astronaut()[100:260, 150:350]), tmp_path / "photo.png")
    recipe = Recipe.make(settings=BRIEF, **choices)
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    given = ("upscale", "photo.png", "--recipe", "recipe.toml", "--json", "--threads", "1")
    dry = kfsr_run(tmp_path, *given, "--dry-run").ok().stdout
    planned = json.loads(dry.splitlines()[0])["estimate"]["memory_mib"]
    assert planned * 2**20 == pytest.approx(peak(160 * 200, recipe), rel=0.01)
    limit = in_words(round(planned * 2**20))
    done = kfsr_run(tmp_path, *given, "--max-memory", limit, process=True).ok()
    measured = json.loads(done.stdout.splitlines()[0])["peak_memory_mib"]
    assert 0.6 * planned < measured <= in_bytes(limit) / 2**20


def test_the_helps_example_is_enough_for_a_small_picture(tmp_path):
    write_image(Image.from_array(data.astronaut()[100:196, 150:278]), tmp_path / "photo.png")
    for method in ("edges", "bicubic", "spectral"):
        assert peak(128 * 96, Recipe.make(kernel_method=method), tile=64) < in_bytes("800M")
