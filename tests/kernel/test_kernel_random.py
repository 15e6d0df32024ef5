"""Random kernels: what is drawn is a kernel, and what is made wrong is wrong by as much as was asked."""

import numpy as np
import pytest

from kfsr.kernel import bicubic_kernel, compare_kernels, gaussian_kernel
from kfsr.kernel.random import KINDS, Blur, random_blur

CANVAS = {1: 25, 2: 24, 3: 25, 4: 32}


@pytest.mark.parametrize("scale", CANVAS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_centred_kernel(kind, scale):
    rng = np.random.default_rng(scale)
    for _ in range(20):
        kernel = random_blur(scale, CANVAS[scale], rng, kind).sample(scale, CANVAS[scale])
        assert (kernel.size, kernel.method) == (CANVAS[scale], kind)
        assert max(map(abs, kernel.centre)) < 0.3
        assert kernel.array.max() > 0
        if kind != "bicubic":
            assert kernel.array.min() >= 0
            rim = 1 - kernel.array[1:-1, 1:-1].sum()
            assert rim < 0.03, "cut off by its canvas"


def test_kinds_come_in_their_shares():
    rng = np.random.default_rng(0)
    drawn = [random_blur(2, 24, rng).kind for _ in range(600)]
    for kind, share in KINDS.items():
        assert drawn.count(kind) / 600 == pytest.approx(share, abs=0.06)


def test_the_same_seed_draws_the_same():
    first, second, other = (random_blur(4, 32, np.random.default_rng(seed), "shake") for seed in (1, 1, 2))
    assert np.array_equal(first.points, second.points)
    assert not np.array_equal(first.points, other.points)


def test_samples_are_those_of_the_plain_families():
    covariance = np.array([[3.0, 0.8], [0.8, 1.5]])
    np.testing.assert_allclose(
        Blur("gaussian", covariance=covariance).sample(2, 24).array, gaussian_kernel(covariance, 2, 24).array
    )
    for scale in (2, 3):
        expected = bicubic_kernel(scale).resized(CANVAS[scale]).array
        np.testing.assert_allclose(Blur("bicubic").sample(scale, CANVAS[scale]).array, expected, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_wrong_at_no_uncertainty(kind):
    rng = np.random.default_rng(3)
    blur = random_blur(3, 25, rng, kind)
    np.testing.assert_allclose(blur.perturbed(0.0, rng, 3).sample(3, 25).array, blur.sample(3, 25).array, atol=1e-12)


def test_a_turned_kernel_is_the_kernel_turned():
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    shaken = random_blur(4, 32, np.random.default_rng(4), "shake")
    turned = Blur("shake", shaken.points, shaken.weights, shaken.covariance, form=quarter)
    np.testing.assert_allclose(turned.sample(4, 32).array, np.rot90(shaken.sample(4, 32).array), atol=1e-12)


@pytest.mark.parametrize("uncertainty", [0.4, 1.0])
def test_errors_are_in_proportion_to_the_uncertainty(uncertainty):
    rng = np.random.default_rng(5)
    blur = Blur("gaussian", covariance=np.eye(2) * 4.0)
    wrong = [blur.perturbed(uncertainty, rng, 2).sample(2, 24) for _ in range(400)]
    size = np.std([np.log(k.trace / 8.0) for k in wrong])
    place = np.std([k.centre for k in wrong])
    # Stretching one way and not the other makes the trace larger, hence the width.
    assert size == pytest.approx(0.25 * uncertainty, rel=0.25)
    assert place == pytest.approx(0.35 * uncertainty, rel=0.15)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="magic"):
        random_blur(2, 24, np.random.default_rng(0), "magic")


@pytest.mark.parametrize("kind", KINDS)
def test_its_gaussian_is_the_one_that_explains_it_best(kind):
    rng = np.random.default_rng(6)
    blur = random_blur(4, 32, rng, kind)
    kernel, gaussian = blur.sample(4, 32), blur.as_gaussian(4).sample(4, 32)
    if kind != "bicubic":
        np.testing.assert_allclose(gaussian.covariance, kernel.covariance, atol=0.15 * kernel.trace)
    assert compare_kernels(gaussian, kernel).ncc > 0.5
