"""Published USRNet weights in our convention: the scores that they are known for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import kernel_of

from kfsr.analysis.problem import Told
from kfsr.errors import InputError
from kfsr.evaluation.metrics import psnr_y
from kfsr.image import read_image
from kfsr.kernel import load_kernel
from kfsr.solvers import unrolled
from kfsr.solvers.usrnet import USRNet, from_state
from kfsr.weights import network

BENCH = Path(__file__).parents[3] / "shared" / "bench"
TINY = BENCH / "peers" / "usrnet_tiny.pth"


def test_sizes_are_read_from_the_parameters():
    net = USRNet((8, 12, 16, 20), blocks=1, hidden=8, iterations=3)
    again = from_state({name: value.clone() for name, value in net.state_dict().items()})
    y, one = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(0)), torch.ones(1)
    kernel = kernel_of([[2, 0], [0, 1]])
    x = net(y, kernel, 2, one, one)
    assert x.shape == (1, 3, 18, 14)
    assert torch.equal(x, again(y, kernel, 2, one, one))


def test_other_parameters_are_refused():
    with pytest.raises(InputError, match="USRNet"):
        from_state({"weight": torch.zeros(3)})


@pytest.mark.slow
@pytest.mark.skipif(not TINY.exists(), reason=f"needs the benchmark data in {BENCH}")
def test_usrnet_tiny_reaches_its_known_score():
    """im_46 at x2 with the true kernel: 26.8 dB in the benchmark's notes, bicubic 20.1."""
    low_res = read_image(BENCH / "div2krk/lr_x2/im_46.png").pixels + 0.5 / 255
    truth = read_image(BENCH / "div2krk/gt/im_46.png").pixels
    top, left, side = (low_res.shape[0] - 384) // 2, (low_res.shape[1] - 384) // 2, 384
    window = low_res[top : top + side, left : left + side].clip(0, 1).transpose(2, 0, 1)
    target = truth[2 * top : 2 * (top + side), 2 * left : 2 * (left + side)]
    kernel = torch.from_numpy(load_kernel(BENCH / "div2krk/gt_k_x2/kernel_46.mat", 2).array.copy()).float()
    y = torch.from_numpy(np.ascontiguousarray(window)).float()[None] * 2 - 1
    x = unrolled.solve(y, kernel, 2, network(TINY, ("unrolled", "usrnet")), Told(0.0, 0.0))
    pixels = ((x[0].permute(1, 2, 0).numpy() + 1) / 2).clip(0, 1)
    assert psnr_y(pixels, target, 16) > 26.4
