"""The whole path in Python: what goes in, what comes out, when it steps back, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from pictures import photo, up

import kfsr
from kfsr.errors import UsageError
from kfsr.image import Image
from kfsr.kernel import bicubic_kernel, gaussian_kernel

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


def test_a_given_kernel_is_nearly_certain_unless_the_user_says():
    kernel = gaussian_kernel(np.eye(2) * 2.0, 2)
    certain, same, doubted = (up(photo(), kernel=kernel, uncertainty=u).image.pixels for u in (None, 0.05, 1.0))
    assert np.array_equal(certain, same)
    assert not np.array_equal(certain, doubted)


def test_a_window_is_the_same_part_of_the_whole():
    window = (20, 31, 24, 30)
    for solver, tolerance in (("bicubic", 0.1 / 255), ("unfolding", 2 / 255), ("unrolled", 3 / 255)):
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 1}, "scale 1"),
        ({"scale": 5}, "scale 5"),
        ({"kernel": bicubic_kernel(3)}, "for scale 3"),
        ({"solver": "magic"}, "unrolled, unfolding, zssr, bicubic"),
        ({"joint": True}, "only kernelfusion finds the picture with the kernel, not spectral"),
        ({"joint": True, "kernel_method": "kernelfusion", "solver": "zssr"}, "leave --solver out"),
        ({"joint": True, "kernel_method": "kernelfusion", "refine": True}, "leave --refine out"),
        (
            {"joint": True, "kernel_method": "kernelfusion", "uncertainty": 0.0, "refine": True},
            "leave --refine and --uncertainty out",
        ),
        ({"joint": True, "kernel": bicubic_kernel(2)}, "not a kernel that is given"),
        (
            {"joint": True, "kernel_method": "kernelfusion", "max_memory": 2**20},
            "kernelfusion and --joint, which takes",
        ),
        ({"kernel_method": "kernelfusion", "max_memory": 2**20, "solver": "bicubic"}, "with kernelfusion and bicubic"),
        (
            {"kernel_method": "magic"},
            "auto, spectral, ikl, edges, shake, kernelfusion, kernelfusion-edges, soft, kernel-diff, bicubic",
        ),
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
    kernel = kfsr.estimate_kernel(photo(), kernel_method="spectral", preset="tiny")
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
