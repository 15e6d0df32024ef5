"""NaN and infinity: caught where they appear, tried again in float32, reported. Weights from a generator."""

import numpy as np
import PIL.Image
import pytest
import torch
from process import kfsr_run
from safetensors.torch import save_file
from skimage import data

from kfsr.analysis.problem import Told
from kfsr.errors import InputError, NumericalError
from kfsr.numerics import check_finite, in_working_precision, weights_from, working_dtype
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.model import PatchModel
from kfsr.priors.patch.network import PatchDenoiser
from kfsr.priors.patch.training import train_patch_model
from kfsr.settings import PatchSettings
from kfsr.solvers import unrolled
from kfsr.weights import network

CPU = torch.device("cpu")
KERNEL = torch.ones(4, 4) / 16

BEYOND_BFLOAT16 = 3.4e38
"""Finite in float32; in bfloat16, which is coarser, it rounds to infinity."""


def picture(side=40):
    pixels = data.astronaut()[60 : 60 + side, 190 : 190 + side]
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def weights(**changes):
    """An untrained network whose prior is the identity, but for what `changes` fills with one value."""
    state = unrolled.UnrolledNet((8, 12), 1, 2).state_dict()
    for name, value in changes.items():
        state[name.replace("__", ".")].fill_(value)
    return state


def harmless_in_float32():
    """Weights that meet only zeros: 0 * 3.4e38 is 0, but NaN where the weight has become infinite."""
    return weights(prior__head__weight=0.0, prior__body__0__first__weight=BEYOND_BFLOAT16)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_found(value):
    x = torch.zeros(2, 3)
    check_finite("solver", [x, x])
    x[1, 2] = value
    with pytest.raises(NumericalError, match="the solver gave"):
        check_finite("solver", [torch.zeros(2), x])


def test_a_second_time_in_float32_from_the_same_random_state():
    generator, drawn = torch.Generator().manual_seed(3), []

    def compute(dtype):
        drawn.append((dtype, float(torch.rand(1, generator=generator))))
        check_finite("test", torch.full((1,), BEYOND_BFLOAT16).to(dtype))
        return dtype

    assert in_working_precision(CPU, compute, generator) is torch.float32
    assert [dtype for dtype, _ in drawn] == list(dict.fromkeys([working_dtype(CPU), torch.float32]))
    assert len({number for _, number in drawn}) == 1


def test_what_fails_in_float32_too_is_raised():
    with pytest.raises(NumericalError):
        in_working_precision(CPU, lambda dtype: check_finite("test", torch.full((1,), 1e38).to(dtype) * 10))


def test_weights_from_a_generator_are_those_of_its_seed():
    with weights_from(torch.Generator().manual_seed(5)):
        ours = torch.nn.Linear(3, 4)
    seed = int(torch.randint(2**31, (1,), generator=torch.Generator().manual_seed(5)))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        assert torch.equal(ours.weight, torch.nn.Linear(3, 4).weight)


def test_the_solver_goes_on_in_float32():
    net = unrolled.from_state(harmless_in_float32()).eval()
    if working_dtype(CPU) is torch.bfloat16:  # the trap is one
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            assert not net(picture(), KERNEL, 2, torch.tensor([0.01]), torch.tensor([0.1])).isfinite().all()
    plain = unrolled.from_state(weights(prior__head__weight=0.0)).eval()
    x, expected = (unrolled.solve(picture(), KERNEL, 2, one, Told(0.01, 0.1)) for one in (net, plain))
    torch.testing.assert_close(x, expected, atol=0.02, rtol=0)  # the other is in bfloat16


def test_the_patch_model_goes_on_in_float32():
    network = PatchDenoiser(3, 8)
    with torch.no_grad():
        network.convs[0].weight.zero_()
        network.convs[3].weight.fill_(BEYOND_BFLOAT16)
    x = picture()
    assert (PatchModel(network, 0.01, 0.5).denoise(x, 0.1).isfinite()).all()


def test_a_patch_model_that_overflows_says_so():
    network = PatchDenoiser(3, 8)
    with torch.no_grad():
        for conv in network.convs:
            conv.weight.fill_(1e30)
    with pytest.raises(NumericalError, match="patch model"):
        PatchModel(network, 0.01, 0.5).denoise(picture(), 0.1)


def test_a_training_that_runs_away_says_so():
    settings = PatchSettings(width=8, steps=12, batch=2, crop=24, rate=1e30)
    with pytest.raises(NumericalError, match="the patch model stage gave"):
        train_patch_model(CropSampler([picture()]), settings, torch.Generator().manual_seed(0))


def test_weights_that_are_not_finite_are_refused(tmp_path):
    save_file(weights(prior__tail__weight=float("nan")), tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"w\.safetensors: the weights hold NaN"):
        network(tmp_path / "w.safetensors", ("unrolled", "usrnet"))


def test_through_the_program_it_is_a_failed_picture_and_not_a_black_one(tmp_path):
    save_file(weights(prior__tail__weight=1e30, prior__head__weight=1e30), tmp_path / "huge.safetensors")
    save_file(harmless_in_float32(), tmp_path / "edge.safetensors")
    np.save(tmp_path / "k.npy", KERNEL.numpy())
    PIL.Image.fromarray(data.astronaut()[60:100, 190:240]).save(tmp_path / "a.png")
    args = ("upscale", "a.png", "--kernel", "k.npy", "--weights")
    line = kfsr_run(tmp_path, *args, "huge.safetensors").error_line(4)
    assert "a.png: the solver gave values that are not finite" in line
    assert not (tmp_path / "a_x2.png").exists()
    kfsr_run(tmp_path, *args, "edge.safetensors").ok()
    assert np.asarray(PIL.Image.open(tmp_path / "a_x2.png")).std() > 20
