"""The trainer of the unrolled solver, for a few steps of a tiny network."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kfsr.operator.fourier import circular_degrade
from kfsr.solvers.unrolled import from_state
from kfsr.training.photographs import Photographs
from kfsr.training.solver import Plan, main, make_batch

TINY = ["--widths", "8", "8", "--blocks", "1", "--iterations", "2", "--pixels", str(96**2), "--denoise-steps", "2"]


def weights(folder):
    return load_file(folder / "unrolled.safetensors")


def test_a_few_steps_give_weights_that_load(photographs, tmp_path, capfd):
    main([str(photographs), "-o", str(tmp_path), "--steps", "98", *TINY])
    assert json.loads(capfd.readouterr().err)["step"] == 100
    net = from_state(weights(tmp_path))
    assert net.iterations == 2
    for prior in (net.prior, net.last_prior):
        assert prior.tail.weight.abs().max() > 0  # zero before training
    one = torch.tensor([0.01])
    assert net(torch.rand(1, 3, 9, 8), torch.ones(2, 2) / 4, 2, one, one).isfinite().all()


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(photographs, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    main([str(photographs), "-o", str(whole), "--steps", "4", *TINY])
    main([str(photographs), "-o", str(parts), "--steps", "0", *TINY])
    assert torch.load(parts / "checkpoint.pt", weights_only=True)["step"] == 2
    main([str(photographs), "-o", str(parts), "--steps", "4", *TINY])
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(parts)[name]), name


def test_it_begins_with_other_weights(photographs, tmp_path):
    main([str(photographs), "-o", str(tmp_path / "a"), "--steps", "1", *TINY])
    start = ["--start", str(tmp_path / "a" / "unrolled.safetensors")]
    main([str(photographs), "-o", str(tmp_path / "b"), *start, "--denoise-steps", "0", "--steps", "0"])
    assert all(torch.equal(v, weights(tmp_path / "b")[k]) for k, v in weights(tmp_path / "a").items())


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_batch_is_of_the_truths_size_and_tells_the_noise(scale, photographs):
    plan = Plan(pixels=4 * 128**2, dirty=0.0, worst=0.0)
    batch = make_batch(Photographs([photographs]), scale, plan, np.random.default_rng(scale))
    assert batch.truth.shape[-1] == scale * batch.low_res.shape[-1]
    assert batch.truth.abs().max() <= 1
    assert batch.uncertainty.eq(0).all()
    rest = batch.low_res - circular_degrade(batch.truth, batch.kernel, scale)
    told = batch.sigma / rest.square().mean((1, 2, 3)).sqrt()
    assert 0.5 < told.min() <= told.max() < 2


def test_dirty_pictures_are_told_wrong_kernels_too(photographs):
    plan = Plan(pixels=16 * 96**2, dirty=1.0)
    batch = make_batch(Photographs([photographs]), 2, plan, np.random.default_rng(0))
    assert 0 < batch.uncertainty.count_nonzero() < 16
    assert batch.uncertainty.max() <= 2
    torch.testing.assert_close(batch.kernel.sum((1, 2, 3)), torch.ones(16))
    assert batch.sigma.min() > 0.001
