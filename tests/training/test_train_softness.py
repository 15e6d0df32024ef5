"""The trainer of the judge of mild blur, for a few steps, and what it learns from."""

import numpy as np
import pytest
from safetensors.torch import load_file
from skimage import data

from kfsr.estimators.softness import KINDS, from_state
from kfsr.kernel.gaussian import fit_gaussian
from kfsr.training.degradations import degraded_by
from kfsr.training.photographs import Photographs
from kfsr.training.softness import OUTSIDE, Source, blurred, main, random_kernel, sample

PICTURE = data.astronaut()[:160, 100:260].astype(np.float32) / 255


def test_a_few_steps_give_weights_that_load(photographs, tmp_path, capfd):
    weights = tmp_path / "softness.safetensors"
    main([str(photographs), "-o", str(tmp_path), "--steps", "2", "--finish", "0"])
    one = from_state(load_file(weights)).state_dict()
    few = ["--steps", "0", "--finish", "128", "--epochs", "50", "--start", str(weights)]
    main([str(photographs), "-o", str(tmp_path), *few])
    assert "perceptron, step 100 of 100" in capfd.readouterr().err
    for name, value in from_state(load_file(weights)).state_dict().items():
        moved = not np.allclose(value, one[name], atol=1e-3)
        assert moved == (name.startswith("layers") or name in ("mean", "deviation")), name


def test_every_kind_is_drawn_and_its_numbers_are_the_kernels():
    rng = np.random.default_rng(0)
    for kind in KINDS:
        kernel, shape, log_radius = random_kernel(kind, rng)
        assert (kernel is None) == (kind == "sharp")
        if kind == "gaussian":
            fitted, _ = fit_gaussian(kernel.array, 1)
            assert np.exp(2 * shape[0]) == pytest.approx(np.linalg.det(fitted.covariance + 0.04 * np.eye(2)), rel=0.02)
        if kind == "disk":
            assert kernel.trace == pytest.approx(np.exp(2 * log_radius) / 2, rel=0.15)
    assert {sample(PICTURE, rng).kind for _ in range(40)} == {0, 1, 2, 3}


def test_the_blur_is_the_operators():
    kernel, _, _ = random_kernel("shake", np.random.default_rng(2))
    inside = (slice(OUTSIDE, -OUTSIDE),) * 2
    wanted = degraded_by(PICTURE, kernel)[inside]
    np.testing.assert_allclose(blurred(PICTURE, kernel, linear=False)[inside], wanted, atol=1e-4)
    light = blurred(PICTURE, kernel, linear=True)[inside]
    assert 0.003 < (light - wanted).mean() < 0.2  # light spreads from what is bright


def test_a_batch_is_turned_with_its_labels(photographs):
    source = Source(Photographs([photographs]))
    luminance, kind, shape, log_radius, log_noise = source.batch(np.random.default_rng(0))
    assert luminance.shape[0] == len(kind) == len(shape) == len(log_radius) == len(log_noise)
    assert luminance.shape[-1] == luminance.shape[-2] in source.kept
    assert luminance.abs().max() <= 1
    assert sum(map(len, source.kept.values())) == len(kind)
