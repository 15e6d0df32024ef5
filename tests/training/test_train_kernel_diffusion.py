"""The trainer of the diffusion of kernels, for a few steps on a few pictures."""

import functools
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from skimage import data

from kfsr.analysis.evidence import evidence
from kfsr.priors.kernel_diffusion import from_state
from kfsr.training import kernel_diffusion as trainer
from kfsr.training.photographs import Photographs

FEW = ["--batch", "4", "--chunks", "1", "--reuse", "16"]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    Image.fromarray(data.astronaut()[:400, :400]).save(folder / "astronaut.png")
    return folder


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(trainer, "CHUNK", 8)


def run(photographs, folder, steps, *more):
    trainer.main([str(photographs), "-o", str(folder), "--steps", str(steps), *FEW, *more])


def test_samples_are_on_the_models_grid(photographs):
    made, again = (trainer.make_chunk(Photographs([photographs]), 0, 3) for _ in range(2))
    assert torch.equal(made.kernel, again.kernel)
    assert torch.equal(made.maps, again.maps)
    assert made.kernel.shape == (8, 64, 64)
    assert made.maps.shape == (8, 11, 64, 64)
    assert made.picture.shape == (8, 256, 256)
    assert made.kernel.amax((1, 2)).eq(1).all()
    assert made.maps.isfinite().all()


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_random_kernel_fits_the_grid_and_is_centred(scale):
    for seed in range(6):
        k = trainer.random_kernel(scale, np.random.default_rng(seed))
        assert k.size == 64 - scale % 2
        assert np.abs(k.centre).max() < 0.5


@pytest.mark.parametrize("seed", range(6))
def test_turned_samples_are_those_of_turned_pictures(photographs, seed):
    """Seen in the correlations, which turn with the picture exactly; and the kernel stays centred."""
    made = trainer.make_chunk(Photographs([photographs]), 0, 3)
    turned = trainer.turned(made, np.random.default_rng(seed))
    scale = int(made.scale[0])
    anew = evidence(turned.picture.float(), scale)[:, 6:, 1:-1, 1:-1]
    torch.testing.assert_close(turned.maps[:, 6:9, 1:-1, 1:-1].float(), anew[:, :3], atol=0.05, rtol=0)
    centre = []
    for k in (made.kernel.float(), turned.kernel.float()):
        i = torch.arange(64.0)
        centre.append(torch.stack([k.sum(2) @ i, k.sum(1) @ i], 1) / k.sum((1, 2))[:, None])
    torch.testing.assert_close(centre[0], centre[1], atol=0.4, rtol=0)


def test_a_few_steps_give_weights_that_load(photographs, tmp_path, capfd):
    run(photographs, tmp_path, 50, "--make")
    assert len(list(tmp_path.glob("chunk*.pt"))) == trainer.Plan(batch=4, chunks=1, reuse=16).known(50)
    run(photographs, tmp_path, 50)
    assert json.loads(capfd.readouterr().err.splitlines()[-1])["step"] == 50
    net = from_state(load_file(tmp_path / "kernel_diffusion.safetensors"))
    assert net.last[2].weight.isfinite().all()


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(photographs, tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        run(photographs, folder, 4, "--make")
    run(photographs, whole, 4)
    monkeypatch.setattr(trainer, "train", functools.partial(trainer.train, every=0.0))
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        losses = [trainer.diffusion_loss] * 2

        def loss(*arguments):
            if not losses:
                raise KeyboardInterrupt
            return losses.pop()(*arguments)

        patched.setattr(trainer, "diffusion_loss", loss)
        run(photographs, parts, 4)
    assert torch.load(parts / "checkpoint.pt", weights_only=True)["step"] == 2
    run(photographs, parts, 4)
    states = [load_file(folder / "kernel_diffusion.safetensors") for folder in (whole, parts)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
