"""The kernel's way in Python: what finds it, what is refined, what several pictures share."""

import re
from dataclasses import replace

import numpy as np
import pytest
from pictures import TINY, low_resolution, photo, up
from PIL import Image, ImageFilter
from safetensors.torch import save_file
from skimage import data

import kfsr
from kfsr import settings, weights
from kfsr.errors import InputError, NothingToLearn, UsageError
from kfsr.estimators import edges
from kfsr.image import luma
from kfsr.kernel import Kernel, Provenance, gaussian_kernel, save_kernel
from kfsr.recipe import Recipe
from kfsr.settings import EdgesSettings
from kfsr.solvers.usrnet import USRNet


def test_estimate_kernel_gives_the_kernel_that_upscale_uses():
    for method in ("spectral", "ikl"):
        kernel = kfsr.estimate_kernel(photo(), scale=2, kernel_method=method, preset="tiny", seed=5)
        used = up(photo(), kernel_method=method, seed=5).kernel
        assert kernel.method == method
        assert np.array_equal(kernel.array, used.array)


def test_auto_takes_the_presets_gaussian_where_the_picture_looks_like_it(monkeypatch):
    kernel = gaussian_kernel(np.array([[4.0, 1.0], [1.0, 2.0]]), 2)
    low = low_resolution(kernel)
    fast = kfsr.upscale(low, scale=2, preset="fast", window=(0, 0, 20, 20))
    assert (fast.report.kernel_method, fast.kernel.method) == ("auto", "spectral")
    assert fast.report.choice.startswith("spectral: the kernel looks like a Gaussian")
    learned = replace(TINY, auto=replace(TINY.auto, gaussian_method="ikl"))
    monkeypatch.setitem(settings.PRESETS, "learned", learned)
    assert kfsr.estimate_kernel(low, scale=2, preset="learned").method == "ikl"
    assert settings.PRESETS["best"].auto.gaussian_method == "ikl"


def test_auto_knows_a_clean_bicubic_resize():
    """And gains by it over the Gaussian that stands for it."""
    sharp = Image.fromarray(data.astronaut())
    low = np.asarray(sharp.resize((256, 256), Image.Resampling.BICUBIC))
    found = kfsr.upscale(low, scale=2, preset="fast")
    assert found.kernel.method == "bicubic"
    assert found.report.choice.startswith("bicubic: ")
    assert found.kernel.provenance.source == "estimated"
    gaussian = kfsr.upscale(low, scale=2, preset="fast", kernel_method="spectral")
    error, other = (np.abs(one.image.pixels - np.asarray(sharp) / 255.0).mean() for one in (found, gaussian))
    assert error < other


def test_a_noisy_or_sharpened_resize_is_not_taken_for_a_plain_one():
    low = Image.fromarray(data.astronaut()).resize((256, 256), Image.Resampling.BICUBIC)
    noise = 8 * np.random.default_rng(0).standard_normal((256, 256, 3))
    noisy = np.rint((np.asarray(low) + noise).clip(0, 255)).astype(np.uint8)
    masked = np.asarray(low.filter(ImageFilter.UnsharpMask(1.5, 150, 0)))
    averaged = np.asarray(Image.fromarray(data.coffee()).reduce(2))
    for picture in (noisy, masked, averaged):
        assert kfsr.estimate_kernel(picture, scale=2, preset="fast", refine=False).method == "spectral"


def test_auto_takes_the_edges_kernel_where_no_gaussian_explains_the_picture(monkeypatch):
    shake = np.zeros((16, 16))
    shake[2:14, 4:6] = shake[12:14, 4:12] = 1
    truth = Kernel.from_array(shake, 2)
    low = low_resolution(truth)
    quick = replace(settings.PRESETS["fast"], edges=EdgesSettings(windows=2, window=96, iterations=8))
    monkeypatch.setitem(settings.PRESETS, "quick", quick)
    result = kfsr.upscale(low, scale=2, preset="quick", window=(0, 0, 20, 20))
    assert (result.report.kernel_method, result.kernel.method) == ("auto", "edges")
    assert result.report.choice.startswith("edges: ")
    # Where such a blur counts as small, a Gaussian is safer, but not on a picture of many pixels.
    wary = replace(quick, auto=replace(quick.auto, smallest_blur=100.0))
    monkeypatch.setitem(settings.PRESETS, "wary", wary)
    monkeypatch.setitem(
        settings.PRESETS, "sure", replace(wary, auto=replace(quick.auto, smallest_blur=100.0, pixels=1))
    )
    assert kfsr.estimate_kernel(low, scale=2, preset="wary", refine=False).method == "spectral"
    assert kfsr.estimate_kernel(low, scale=2, preset="sure", refine=False).method == "edges"


def test_kernelfusion_finds_a_kernel_and_a_picture_of_the_whole():
    low = photo(50, 41)
    alone = up(low, kernel_method="kernelfusion", solver="bicubic")
    assert (alone.kernel.method, alone.kernel.size) == ("kernelfusion", 12)
    assert alone.report.choice == ""
    whole = up(low, kernel_method="kernelfusion", joint=True)
    assert whole.image.pixels.shape == (100, 82, 3)
    assert (whole.report.solver, whole.report.gate.verdict) == ("joint", "trusted")
    part = up(low, kernel_method="kernelfusion", joint=True, window=(5, 7, 20, 30))
    assert np.array_equal(part.image.pixels, whole.image.pixels[10:50, 14:74])


def test_kernelfusion_with_the_edges_does_no_worse_than_the_edges_alone():
    low = photo(64, 80)  # with so little training it finds nothing itself
    names = ("kernelfusion-edges", "edges")
    both, alone = (kfsr.estimate_kernel(low, kernel_method=name, preset="tiny") for name in names)
    assert (both.method, alone.method) == names
    plane = luma(low / 255)
    assert edges.objective(plane, both, TINY.edges) <= edges.objective(plane, alone, TINY.edges)
    said = up(low, kernel_method="kernelfusion-edges", solver="bicubic").report.choice
    values = dict(re.findall(r"(kernelfusion, polished by the edges|edges) ([0-9.]+)", said.partition("(")[2]))
    assert said.startswith(min(values, key=lambda name: float(values[name])) + ": ")


def test_kernelfusion_steps_back_from_a_picture_without_a_window():
    for joint in (False, True):
        result = up(photo(14, 60), kernel_method="kernelfusion", joint=joint)
        assert result.report.gate.verdict == "bicubic"
        assert result.image.pixels.shape == (28, 120, 3)


def test_a_given_kernel_is_used_as_it_is():
    kernel = gaussian_kernel(np.array([[2.0, 0.4], [0.4, 1.0]]), 2)
    result = up(photo(), kernel=kernel)
    assert result.kernel is kernel
    assert result.report.kernel_method == "gaussian"


def test_a_kernel_alone_cannot_be_made_up():
    with pytest.raises(InputError, match="too small"):
        kfsr.estimate_kernel(photo(5, 3), preset="tiny")


def test_estimates_are_refined_unless_that_is_refused():
    photograph = low_resolution(gaussian_kernel(np.eye(2) * 2, 2))
    plain, refined, asked = (
        kfsr.estimate_kernel(photograph, scale=2, kernel_method="spectral", refine=choice)
        for choice in (False, None, True)
    )
    assert np.array_equal(refined.array, asked.array)
    assert not np.array_equal(refined.array, plain.array)
    assert refined.method == "spectral"


def test_a_given_kernel_is_refined_only_when_that_is_asked_for():
    photograph = low_resolution(gaussian_kernel(np.eye(2) * 2, 2))
    given = gaussian_kernel(np.eye(2) * 3, 2)
    window = (0, 0, 8, 8)
    kept, changed = (up(photograph, kernel=given, refine=choice, window=window) for choice in (None, True))
    assert kept.kernel is given
    assert "refine" not in kept.report.timings
    assert not np.array_equal(changed.kernel.array, given.array)
    assert changed.report.timings["refine"] > 0


@pytest.mark.parametrize("method", ["spectral", "ikl", "edges"])
def test_a_kernel_that_several_pictures_share(method):
    photograph = low_resolution(gaussian_kernel(np.eye(2) * 2, 2))
    parts = [photograph[:120, :130], photograph[100:, 90:, 1], photograph[60:200, :140]]
    shared = kfsr.estimate_kernel(parts, scale=2, kernel_method=method, preset="tiny")
    assert shared.method == method
    single = kfsr.estimate_kernel(parts[0], scale=2, kernel_method=method, preset="tiny")
    assert not np.array_equal(single.array, shared.array)
    assert np.array_equal(
        single.array, kfsr.estimate_kernel(parts[:1], scale=2, kernel_method=method, preset="tiny").array
    )


def test_no_picture_at_all():
    with pytest.raises(UsageError, match="no picture"):
        kfsr.estimate_kernel([], scale=2)


def test_invisible_pixels_tell_nothing():
    """Their colours are anything; they once steered the kernel."""
    low = low_resolution(gaussian_kernel(np.eye(2) * 2, 2))[:120, :120]
    alpha = np.full(low.shape[:2], 255, np.uint8)
    alpha[20:70, 30:90] = 0
    wild = low.copy()
    wild[alpha == 0] = np.random.default_rng(0).integers(0, 256, (int((alpha == 0).sum()), 3), np.uint8)
    for method in ("spectral", "edges"):
        kernels = [
            kfsr.estimate_kernel(np.dstack([picture, alpha]), kernel_method=method, preset="tiny", refine=False)
            for picture in (low, wild)
        ]
        assert np.array_equal(kernels[0].array, kernels[1].array)


@pytest.mark.parametrize("method", ["spectral", "ikl", "edges", "kernelfusion", "bicubic"])
def test_what_compares_scales_is_not_defined_at_scale_1(method):
    with pytest.raises(UsageError, match="use one of auto, shake, soft, kernel-diff there"):
        kfsr.estimate_kernel(photo(), scale=1, kernel_method=method)


def test_broken_weights_are_not_a_picture_without_detail(monkeypatch):
    """They once gave bicubic interpolation and no word."""
    monkeypatch.setattr(weights, "_bundled", lambda name: b"PK\3\4 not weights")
    weights._network.cache_clear()
    try:
        with pytest.raises(InputError, match=r"\.safetensors: .*install kfsr again") as caught:
            up(photo(), kernel=gaussian_kernel(np.eye(2), 2))
        assert not isinstance(caught.value, NothingToLearn)
    finally:
        weights._network.cache_clear()


def test_a_kernel_of_unknown_origin_is_doubted(tmp_path):
    """As an estimate is; `kfsr kernel -o k.npy` and `--kernel k.npy` once counted as exact."""
    low = low_resolution(gaussian_kernel(np.eye(2) * 0.8, 2))
    save_kernel(gaussian_kernel(np.eye(2) * 6, 2), tmp_path / "wide.npy")
    window = (0, 0, 16, 16)
    unknown, right = (
        kfsr.upscale(low, Recipe.make(preset="fast", **how), window=window)
        for how in ({"kernel": tmp_path / "wide.npy"}, {})
    )
    assert unknown.kernel.estimated
    assert unknown.report.strength < 0.7 < right.report.strength


def test_other_weights_make_the_picture_and_not_the_kernel(tmp_path):
    """A kernel gets its fine form from the bundled solver, which knows what an uncertain kernel is."""
    photograph = low_resolution(gaussian_kernel(np.eye(2) * 2, 2))[:128, :128]
    save_file(USRNet((4, 6, 6, 8), 1, 8, 2).state_dict(), tmp_path / "usrnet.safetensors")
    own, others = (
        up(photograph, weights=path, window=(0, 0, 12, 12)) for path in (None, tmp_path / "usrnet.safetensors")
    )
    plain = kfsr.estimate_kernel(photograph, kernel_method="spectral", weights=tmp_path / "usrnet.safetensors")
    assert np.array_equal(plain.array, kfsr.estimate_kernel(photograph, kernel_method="spectral").array)
    assert own.report.timings["refine"] > 0
    assert others.report.timings["refine"] > 0


def test_an_estimate_that_does_not_say_how_uncertain_it_is_gets_its_methods_doubt():
    """As the files of earlier versions: an edges' kernel is doubted more than a Gaussian."""
    kernel = gaussian_kernel(np.eye(2) * 2, 2)
    picture, window = photo(64, 64), (0, 0, 24, 24)
    doubt = TINY.edges.uncertainty * (64**2 / (TINY.edges.windows * TINY.edges.window**2)) ** -0.25
    silent, said, little = (
        up(picture, kernel=kernel.stamped(Provenance("estimated", "edges", 1, value)), window=window).image.pixels
        for value in (None, doubt, 0.15)
    )
    assert np.array_equal(silent, said)
    assert not np.array_equal(silent, little)
