"""Scores of kernels: properties, and agreement with the benchmark's own scorer."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kfsr.errors import UsageError
from kfsr.kernel import Kernel, compare_kernels, gaussian_kernel, load_kernel

SHARED = Path(__file__).parents[3] / "shared"
SCORER = SHARED / "tools" / "score.py"


def lopsided(scale: int, size: int, seed: int) -> Kernel:
    k = np.random.default_rng(seed).random((size, size)) ** 4
    return Kernel(k / k.sum(), scale)


def scored(estimate: Path, truth: Path, scale: int) -> dict[str, float]:
    if not SCORER.is_file():
        pytest.skip(f"the benchmark's scorer is not in {SCORER}")
    command = [sys.executable, str(SCORER), "kernel", str(estimate), str(truth), "--scale", str(scale)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = json.loads(out.splitlines()[0])
    return found


def test_a_kernel_against_itself() -> None:
    kernel = lopsided(2, 16, 0)
    score = compare_kernels(kernel, kernel)
    assert score.ncc == pytest.approx(1)
    assert score.ncc_shift2 == pytest.approx(1)
    assert score.ncc_flipped < 0.9
    assert score.size_ratio == pytest.approx(1)
    assert set(score.as_dict()) == {"ncc", "ncc_shift2", "ncc_flipped", "size_ratio"}


def test_a_shift_is_found_within_two_pixels() -> None:
    k = np.zeros((16, 16))
    k[6:9, 6:10] = lopsided(2, 6, 3).array[:3, :4]
    truth = Kernel(k / k.sum(), 2)
    for shift, found in [((2, -2), True), ((0, 1), True), ((3, 0), False), ((0, -3), False)]:
        score = compare_kernels(Kernel(np.roll(truth.array, shift, (0, 1)), 2), truth)
        assert score.ncc < 0.9
        assert (score.ncc_shift2 > 0.999999) == found
        assert score.size_ratio == pytest.approx(1)


def test_flipped_truth() -> None:
    kernel = lopsided(3, 15, 1)
    turned = Kernel(kernel.array[::-1, ::-1], 3)
    assert compare_kernels(turned, kernel).ncc_flipped == pytest.approx(1)


def test_canvas_does_not_matter() -> None:
    small, other = lopsided(4, 12, 1), lopsided(4, 16, 2)
    expected = compare_kernels(small, other).as_dict()
    for a, b in [(small.resized(30), other), (small, other.resized(40))]:
        assert compare_kernels(a, b).as_dict() == pytest.approx(expected)


def test_size_ratio() -> None:
    truth = gaussian_kernel(np.eye(2) * 2, 2, 32)
    assert compare_kernels(gaussian_kernel(np.eye(2) * 3, 2, 32), truth).size_ratio == pytest.approx(1.5)
    delta = Kernel(np.ones((1, 1)), 1)
    assert math.isnan(compare_kernels(delta, delta).size_ratio)


def test_different_scales() -> None:
    with pytest.raises(UsageError, match="2 and 4"):
        compare_kernels(lopsided(2, 16, 0), lopsided(4, 16, 0))


@pytest.mark.parametrize(("scale", "sizes"), [(2, (16, 14)), (3, (15, 25)), (4, (24, 32))])
def test_agrees_with_the_benchmark(scale: int, sizes: tuple[int, int], tmp_path: Path) -> None:
    estimate, truth = (lopsided(scale, size, size) for size in sizes)
    np.save(tmp_path / "a.npy", estimate.array)
    np.save(tmp_path / "b.npy", truth.array)
    theirs = scored(tmp_path / "a.npy", tmp_path / "b.npy", scale)
    ours = compare_kernels(estimate, truth).as_dict()
    assert ours == pytest.approx({key: theirs[key] for key in ours}, abs=1e-5)


@pytest.mark.parametrize("scale", [2, 4])
def test_agrees_with_the_benchmark_on_div2krk(scale: int, tmp_path: Path) -> None:
    truth_file = SHARED / "bench" / "div2krk" / f"gt_k_x{scale}" / "kernel_3.mat"
    if not truth_file.is_file():
        pytest.skip(f"the DIV2KRK kernel is not in {truth_file}")
    truth = load_kernel(truth_file, scale)
    estimate = gaussian_kernel(truth.covariance * np.array([[1.2, 0.9], [0.9, 1.1]]), scale, truth.size)
    np.save(tmp_path / "a.npy", estimate.array)
    theirs = scored(tmp_path / "a.npy", truth_file, scale)
    ours = compare_kernels(estimate, truth).as_dict()
    # The scorer does not cut off what the files' shift pushes out of their array.
    assert ours == pytest.approx({key: theirs[key] for key in ours}, rel=0.04)
    assert ours["ncc"] == pytest.approx(theirs["ncc"], abs=2e-3)
