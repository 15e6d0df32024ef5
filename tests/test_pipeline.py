"""The whole path in Python: what goes in, what comes out, when it steps back, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

import kfsr
from kfsr import pipeline, settings
from kfsr.cli import options
from kfsr.degradation import degrade
from kfsr.errors import InputError, UsageError
from kfsr.image import Image
from kfsr.kernel import Kernel, bicubic_kernel, gaussian_kernel
from kfsr.settings import (
    AutoSettings,
    IklSettings,
    KernelFusionSettings,
    PatchSettings,
    Preset,
    UnfoldingSettings,
    ZssrSettings,
)

QUICK = PatchSettings(width=8, steps=3, batch=2, crop=24)
TINY = Preset(
    ikl=IklSettings(patch=QUICK, iterations=2, warm_up=1, batch=2, crop=20, width=4),
    # So little noise is taken away that the untrained prior does no harm, and the gate lets the result pass.
    unfolding=UnfoldingSettings(prior=QUICK, iterations=2, sigma_start=0.01),
    zssr=ZssrSettings(steps=2, batch=1, crop=40),
    kernelfusion=KernelFusionSettings(patch=QUICK, width=4, levels=3, steps=2, first_rounds=2, rounds=1),
)
"""Every stage with next to no training: for what does not depend on skill."""


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(settings.PRESETS, "tiny", TINY)


def photo(height=67, width=83):
    return data.chelsea()[60 : 60 + height, 170 : 170 + width]


def low_resolution(kernel):
    """The astronaut, shrunk by 2 with `kernel` and rounded to 8 bits."""
    x = torch.from_numpy(data.astronaut() / 255.0).permute(2, 0, 1)[None]
    y = degrade(x, torch.from_numpy(kernel.array.copy()), 2)[0].permute(1, 2, 0).numpy()
    return np.rint(y.clip(0, 1) * 255).astype(np.uint8)


def up(image, scale=2, **arguments):
    return kfsr.upscale(image, scale, **{"preset": "tiny", "kernel_method": "spectral", **arguments})


ARRAYS = {
    "gray uint8": photo()[..., 1],
    "gray with an axis": photo()[..., 1:2],
    "RGB uint8": photo(),
    "RGB float": photo() / 255.0,
    "RGBA uint8": np.dstack([photo(), np.linspace(0, 255, 83).astype(np.uint8)[None].repeat(67, 0)]),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("solver", ["unrolled", "unfolding", "bicubic"])
def test_arrays_of_every_kind(name, solver):
    array = ARRAYS[name]
    result = up(array, solver=solver).image
    channels = 1 if array.ndim == 2 or array.shape[2] == 1 else 3
    assert result.pixels.shape == (134, 166, channels)
    assert result.pixels.dtype == np.float32
    assert result.pixels.min() >= 0
    assert result.pixels.max() <= 1
    assert (result.alpha is not None) == (name == "RGBA uint8")
    if result.alpha is not None:
        assert result.alpha.shape == (134, 166)
        assert np.abs(result.alpha[0, ::83] - [0, 0.5]).max() < 0.02
        assert result.alpha[0, -1] > 0.98


def test_uint8_and_float_are_the_same_picture():
    first, second = (up(array).image.pixels for array in (photo(), photo() / 255.0))
    assert np.allclose(first, second, atol=1e-3)


@pytest.mark.parametrize("method", ["spectral", "ikl", "bicubic"])
@pytest.mark.parametrize("solver", ["unrolled", "unfolding", "zssr", "bicubic"])
def test_every_way_gives_the_exact_size(method, solver):
    result = up(photo(), kernel_method=method, solver=solver)
    assert result.image.size == (166, 134)
    assert (result.report.kernel_method, result.report.solver) == (method, solver)
    assert (result.kernel.scale, result.kernel.method) == (2, method)


@pytest.mark.parametrize("solver", ["unrolled", "unfolding", "zssr"])
@pytest.mark.parametrize("scale", [3, 4])
def test_other_scales(scale, solver):
    result = up(photo(131, 97), scale, solver=solver, kernel_method="ikl", kernel_init="gaussian")
    assert result.image.size == (97 * scale, 131 * scale)


def test_the_result_shows_what_the_input_shows():
    result = up(photo(66, 84)).image.pixels
    small = result.reshape(66, 2, 84, 2, 3).mean((1, 3))
    assert np.abs(small - photo(66, 84) / 255.0).mean() < 0.03


def test_an_image_keeps_what_it_carries():
    image = Image(photo().astype(np.float32) / 255, format="JPEG", exif=b"Exif\0\0", icc_profile=b"profile")
    result = up(image, solver="bicubic").image
    assert (result.format, result.exif, result.icc_profile) == ("JPEG", b"Exif\0\0", b"profile")


@pytest.mark.parametrize("solver", ["unrolled", "unfolding", "zssr"])
def test_the_seed_decides(solver):
    first, second, other = (up(photo(), kernel_method="ikl", solver=solver, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(first.image.pixels, second.image.pixels)
    assert np.array_equal(first.kernel.array, second.kernel.array)
    assert not np.array_equal(first.image.pixels, other.image.pixels)
    assert not np.array_equal(first.kernel.array, other.kernel.array)


def test_estimate_kernel_gives_the_kernel_that_upscale_uses():
    for method in ("spectral", "ikl"):
        kernel = kfsr.estimate_kernel(photo(), 2, method=method, preset="tiny", seed=5)
        used = up(photo(), kernel_method=method, seed=5).kernel
        assert kernel.method == method
        assert np.array_equal(kernel.array, used.array)


def test_a_given_kernel_is_nearly_certain_unless_the_user_says():
    kernel = gaussian_kernel(np.eye(2) * 2.0, 2)
    certain, same, doubted = (up(photo(), kernel=kernel, uncertainty=u).image.pixels for u in (None, 0.05, 1.0))
    assert np.array_equal(certain, same)
    assert not np.array_equal(certain, doubted)


def test_auto_takes_the_presets_gaussian_where_the_spectra_are_sure():
    kernel = gaussian_kernel(np.array([[4.0, 1.0], [1.0, 2.0]]), 2)
    low = low_resolution(kernel)
    fast = kfsr.upscale(low, 2, preset="fast", window=(0, 0, 20, 20))
    assert (fast.report.kernel_method, fast.kernel.method) == ("auto", "spectral")
    assert fast.report.choice.startswith("spectral: a Gaussian explains")
    assert kfsr.estimate_kernel(low, 2, preset="tiny").method == "ikl"


def test_auto_takes_the_edges_kernel_where_no_gaussian_explains_the_picture(monkeypatch):
    shake = np.zeros((16, 16))
    shake[2:14, 4:6] = shake[12:14, 4:12] = 1
    truth = Kernel.from_array(shake, 2)
    low = low_resolution(truth)
    result = kfsr.upscale(low, 2, preset="fast", window=(0, 0, 20, 20))
    assert (result.report.kernel_method, result.kernel.method) == ("auto", "edges")
    assert result.report.choice.startswith("edges: ")
    # Where such a blur counts as small, a Gaussian is safer, but not on a picture of many pixels.
    wary = replace(settings.PRESETS["fast"], auto=AutoSettings(smallest_blur=100.0))
    monkeypatch.setitem(settings.PRESETS, "wary", wary)
    monkeypatch.setitem(settings.PRESETS, "sure", replace(wary, auto=AutoSettings(smallest_blur=100.0, pixels=1)))
    assert kfsr.estimate_kernel(low, 2, preset="wary", refine=False).method == "spectral"
    assert kfsr.estimate_kernel(low, 2, preset="sure", refine=False).method == "edges"


def test_kernelfusion_finds_a_kernel_and_a_picture_of_the_whole():
    low = photo(50, 41)
    alone = up(low, kernel_method="kernelfusion", solver="bicubic")
    assert (alone.kernel.method, alone.kernel.size) == ("kernelfusion", 12)
    whole = up(low, kernel_method="kernelfusion", joint=True)
    assert whole.image.pixels.shape == (100, 82, 3)
    assert (whole.report.solver, whole.report.gate.verdict) == ("joint", "trusted")
    part = up(low, kernel_method="kernelfusion", joint=True, window=(5, 7, 20, 30))
    assert np.array_equal(part.image.pixels, whole.image.pixels[10:50, 14:74])


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


def test_a_window_is_the_same_part_of_the_whole():
    window = (20, 31, 24, 30)
    for solver, tolerance in (("bicubic", 0), ("unfolding", 2 / 255), ("unrolled", 3 / 255)):
        whole = up(ARRAYS["RGBA uint8"], solver=solver).image
        part = up(ARRAYS["RGBA uint8"], solver=solver, window=window).image
        assert part.pixels.shape == (48, 60, 3)
        assert part.alpha.shape == (48, 60)
        # The border of the part is interpolated from less.
        inner = np.abs(part.pixels - whole.pixels[40:88, 62:122])[12:-12, 12:-12]
        assert inner.max() <= tolerance + 1e-6


@pytest.mark.parametrize("method", ["spectral", "ikl"])
@pytest.mark.parametrize("solver", ["unrolled", "unfolding", "zssr"])
@pytest.mark.parametrize(
    "image",
    [photo(1, 1), photo(5, 3), photo(12, 60), np.full((50, 50, 3), 90, np.uint8)],
    ids=["1x1", "3x5", "60x12", "flat"],
)
def test_what_cannot_be_learned_from_is_interpolated(image, method, solver):
    result = up(image, kernel_method=method, solver=solver)
    plain = up(image, kernel_method="bicubic", solver="bicubic")
    assert result.report.gate.verdict == "bicubic"
    assert result.report.gate.reason
    assert np.array_equal(result.image.pixels, plain.image.pixels)
    assert result.image.size == (2 * image.shape[1], 2 * image.shape[0])


@pytest.mark.parametrize("side", [1, 5, 14, 17, 24, 29])
@pytest.mark.parametrize("scale", [2, 4])
def test_no_size_is_too_small_with_a_kernel_given(side, scale):
    """Every size works or is interpolated, between too small for anything and large enough for all."""
    for solver in ("unrolled", "unfolding", "zssr"):
        for kernel in (None, gaussian_kernel(np.eye(2) * scale, scale)):
            result = up(photo(side, side + 2), scale, kernel=kernel, solver=solver)
            assert result.image.size == ((side + 2) * scale, side * scale)
            assert np.isfinite(result.image.pixels).all()


def test_a_kernel_alone_cannot_be_made_up():
    with pytest.raises(InputError, match="too small"):
        kfsr.estimate_kernel(photo(5, 3), preset="tiny")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 1}, "scale 1"),
        ({"scale": 5}, "scale 5"),
        ({"kernel": bicubic_kernel(3)}, "for scale 3"),
        ({"solver": "magic"}, "unrolled, unfolding, zssr, bicubic"),
        ({"joint": True}, "only kernelfusion finds the picture with the kernel, not spectral"),
        ({"joint": True, "kernel_method": "kernelfusion", "solver": "zssr"}, "leave --solver"),
        ({"joint": True, "kernel": bicubic_kernel(2)}, "not a kernel that is given"),
        ({"kernel_method": "magic"}, "auto, spectral, ikl, edges, kernelfusion, bicubic"),
        ({"kernel_init": "magic", "kernel_method": "ikl"}, "spectral, gaussian"),
        ({"kernel_init": "gaussian", "kernel_method": "spectral"}, "use the kernel method ikl"),
        ({"solver": "zssr", "weights": Path("w.pth")}, "takes no weights"),
        ({"solver": "unfolding", "uncertainty": 0.5}, "takes no uncertainty"),
        ({"uncertainty": 2.5}, "between 0 and 2"),
        ({"preset": "magic"}, "fast, balanced, best"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else None,
)
def test_wrong_calls(arguments, message):
    with pytest.raises(UsageError, match=message):
        up(photo(), **arguments)


@pytest.mark.parametrize("window", [(60, 0, 20, 20), (0, 0, 0, 20), (-1, 0, 20, 20)], ids=str)
@pytest.mark.parametrize("solver", ["unfolding", "bicubic"])
def test_a_window_lies_in_the_picture(window, solver):
    with pytest.raises(UsageError, match="window"):
        up(photo(), window=window, solver=solver)


def test_the_report_says_what_a_given_kernel_is():
    kernel = kfsr.estimate_kernel(photo(), method="spectral", preset="tiny")
    assert up(photo(), kernel=kernel, kernel_method="ikl").report.kernel_method == "spectral"


def test_the_report_is_plain_data():
    result = up(photo(), kernel_method="ikl", seed=3)
    report = json.loads(json.dumps(result.report.as_dict(), allow_nan=False))
    fields = "scale preset seed device kernel_method choice solver kernel gate sigma residual timings"
    assert set(report) >= set(fields.split())
    assert (report["scale"], report["preset"], report["seed"], report["device"]) == (2, "tiny", 3, "cpu")
    assert {"verdict", "reason"} <= set(report["gate"])
    assert report["kernel"]["method"] == "ikl"
    assert report["kernel"]["size"] == result.kernel.size
    assert report["kernel"]["trace"] == pytest.approx(result.kernel.trace)
    assert np.allclose(report["kernel"]["covariance"], result.kernel.covariance)
    assert np.allclose(report["kernel"]["centre"], result.kernel.centre)
    assert {"spectral", "patch model", "ikl", "gate", "solver"} <= set(report["timings"])
    assert all(seconds >= 0 for seconds in report["timings"].values())


def test_the_residual_is_in_grey_levels():
    """What bicubic interpolation and a box do to a picture, by NumPy."""
    from kfsr.kernel import box_kernel

    result = up(photo(), kernel=box_kernel(2), solver="bicubic")
    again = result.image.pixels.reshape(67, 2, 83, 2, 3).mean((1, 3)) * 255
    expected = np.sqrt(((again - photo())[4:-4, 4:-4] ** 2).mean())
    assert result.report.residual == pytest.approx(expected, rel=1e-3)
    assert 0.5 < expected < 20


def test_progress_is_told_by_stage():
    calls = []
    up(photo(), kernel_method="ikl", solver="unfolding", progress=lambda *call: calls.append(call))
    stages = [stage for stage in dict.fromkeys(stage for stage, _, _ in calls) if stage != "gate"]
    assert stages == ["patch model", "ikl", "prior", "solver"]
    for stage in stages:
        steps = [(step, total) for name, step, total in calls if name == stage]
        assert steps == [(n + 1, len(steps)) for n in range(len(steps))]


def test_the_command_line_offers_what_there_is(monkeypatch):
    monkeypatch.undo()
    assert {str(one) for one in options.Preset} == set(settings.PRESETS)
    assert tuple(map(str, options.KernelMethod)) == pipeline.KERNEL_METHODS
    assert tuple(map(str, options.KernelInit)) == pipeline.KERNEL_INITS
    assert tuple(map(str, options.Solver)) == pipeline.SOLVERS


def test_estimates_are_refined_unless_that_is_refused():
    photograph = low_resolution(gaussian_kernel(np.eye(2) * 2, 2))
    plain, refined, asked = (
        kfsr.estimate_kernel(photograph, 2, method="spectral", refine=choice) for choice in (False, None, True)
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
    shared = kfsr.estimate_kernel(parts, 2, method=method, preset="tiny")
    assert shared.method == method
    single = kfsr.estimate_kernel(parts[0], 2, method=method, preset="tiny")
    assert not np.array_equal(single.array, shared.array)
    assert np.array_equal(single.array, kfsr.estimate_kernel(parts[:1], 2, method=method, preset="tiny").array)


def test_no_picture_at_all():
    with pytest.raises(UsageError, match="no picture"):
        kfsr.estimate_kernel([], 2)
