"""Pictures solved in tiles: they are the whole picture's, and too little memory makes the tiles smaller."""

import numpy as np
import pytest
import torch
from scenes import SLANTED, kernel_of
from skimage import data

from kfsr.analysis.problem import Told
from kfsr.errors import NumericalError
from kfsr.kernel.random import camera_shake
from kfsr.operator.spatial import bicubic_upscale, degrade
from kfsr.priors.patch.model import PatchModel
from kfsr.priors.patch.network import PatchDenoiser
from kfsr.progress import silent
from kfsr.settings import UnfoldingSettings
from kfsr.solvers import unfolding, unrolled
from kfsr.solvers.tiles import SMALLEST, Tile, halo_at, on_device_or_cpu, solve_in_tiles
from kfsr.weights import network

KERNEL = 14
"""Side of one for which solvers extend a picture by 8 pixels, at scale 2."""


def picture(rows, cols, channels=1):
    return torch.rand(1, channels, rows, cols, generator=torch.Generator().manual_seed(0)) * 2 - 1


def out_of_memory():
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class Limited:
    """Bicubic interpolation that runs out of memory on pictures of more than `most` pixels."""

    def __init__(self, most, error=out_of_memory):
        self.most, self.error, self.asked = most, error, []

    def __call__(self, low_res, progress=silent):
        self.asked.append(tuple(low_res.shape[-2:]))
        if low_res[0, 0].numel() > self.most:
            raise self.error()
        progress("solver", 1, 2)
        progress("solver", 2, 2)
        return bicubic_upscale(low_res, 2)


def levels(x):
    return (x.clamp(-1, 1) * 127.5).round()


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (130, 64), (257, 191)], ids=str)
@pytest.mark.parametrize("side", [8, 64, 100])
def test_every_pixel_lies_in_one_tile(size, side):
    covered = torch.zeros(size)
    for one in Tile(0, 0, *size).cut(side):
        covered[one.row : one.row + one.rows, one.col : one.col + one.cols] += 1
        assert max(one.rows, one.cols) <= side + 7
    assert (covered == 1).all()


@pytest.mark.parametrize("size", [(150, 97), (330, 20)], ids=str)
@pytest.mark.parametrize("tile", [64, 80])
def test_what_looks_no_further_than_the_halo_is_exactly_the_whole(size, tile):
    y = picture(*size, channels=3)
    solve = Limited(10**9)
    tiled = solve_in_tiles(y, KERNEL, 2, solve, tile)
    assert len(solve.asked) > 1
    inner = (..., slice(8, -8), slice(8, -8))  # beyond the border lies another extension
    torch.testing.assert_close(tiled[inner], bicubic_upscale(y, 2)[inner], rtol=0, atol=1e-5)


def test_at_scale_1_tiles_of_a_wide_shake_are_like_the_whole():
    """The picture's border is explained by what lies beyond it, in tiles as in the whole; a mirrored one would ring."""
    x = torch.from_numpy(data.camera()[:360, :360] / 127.5 - 1).float()[None, None]
    k = torch.from_numpy(camera_shake(41, np.random.default_rng(5)).sample(1, 61).array.copy()).float()
    y = degrade(x, k, 1, "valid")
    told = Told(0.01, 0.1)
    whole, tiled = (unrolled.solver_of(None, 1, tile=tile)(y, k, told) for tile in (None, 160))
    assert float((whole - tiled).square().mean().sqrt() * 127.5) < 2.5


@pytest.mark.parametrize(
    "error",
    [
        out_of_memory,
        MemoryError,
        lambda: RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_too_little_memory_halves_the_tile_and_goes_on(error):
    y = picture(300, 260)
    solve = Limited((70 + 2 * halo_at(2, KERNEL)) ** 2, error)
    out = solve_in_tiles(y, KERNEL, 2, solve, 300)
    assert solve.asked[0] == (300, 260)  # tried whole, then in smaller and smaller tiles
    refused = [size for size in solve.asked if size[0] * size[1] > solve.most]
    assert 2 <= len(refused) <= 4
    inner = (..., slice(8, -8), slice(8, -8))
    torch.testing.assert_close(out[inner], bicubic_upscale(y, 2)[inner], rtol=0, atol=1e-5)


def test_the_steps_of_all_tiles_are_told():
    told = []
    solve = Limited(10**9)
    solve_in_tiles(picture(150, 97), KERNEL, 2, solve, 64, lambda *call: told.append(call))
    assert len(solve.asked) == 6
    assert told == [("solver", n + 1, 12) for n in range(12)]
    told.clear()
    solve_in_tiles(picture(50, 40), KERNEL, 2, solve, 64, lambda *call: told.append(call))
    assert told == [("solver", 1, 2), ("solver", 2, 2)]


def test_memory_that_ends_on_the_way_spoils_nothing():
    """The third tile is refused once: what was solved before stays, the rest comes in halves."""
    y = picture(200, 200)
    calls = []

    def solve(low_res, progress):
        calls.append(low_res.shape)
        if len(calls) == 3:
            raise out_of_memory()
        return bicubic_upscale(low_res, 2)

    out = solve_in_tiles(y, KERNEL, 2, solve, 128)
    inner = (..., slice(8, -8), slice(8, -8))
    torch.testing.assert_close(out[inner], bicubic_upscale(y, 2)[inner], rtol=0, atol=1e-5)


def test_where_no_tile_is_small_enough_the_error_is_raised():
    solve = Limited(0)
    with pytest.raises(torch.OutOfMemoryError):
        solve_in_tiles(picture(300, 300), KERNEL, 2, solve, 256)
    assert len(solve.asked) < 10
    assert min(max(size) for size in solve.asked) <= SMALLEST + 2 * halo_at(2, KERNEL)


def test_other_errors_are_raised_at_once():
    def solve(low_res, progress):
        raise RuntimeError("expected scalar type Half")

    with pytest.raises(RuntimeError, match="scalar type"):
        solve_in_tiles(picture(300, 300), KERNEL, 2, solve, 128)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_tile_that_is_not_finite_is_never_pasted(value):
    calls = []

    def solve(low_res, progress):
        calls.append(0)
        x = bicubic_upscale(low_res, 2)
        if len(calls) >= 2:
            x[0, 0, 3, 5] = value
        return x

    with pytest.raises(NumericalError, match="solver"):
        solve_in_tiles(picture(200, 200), KERNEL, 2, solve, 128)


def test_a_tile_of_another_size_is_never_pasted():
    with pytest.raises(ValueError, match="solver gave"):
        solve_in_tiles(picture(200, 200), KERNEL, 2, lambda y, progress: bicubic_upscale(y, 3), 128)


def test_after_the_gpu_comes_the_cpu():
    y = picture(20, 20)
    tried = []

    def compute(device):
        tried.append(device.type)
        if device.type != "cpu":
            raise out_of_memory()
        return bicubic_upscale(y, 2)

    with pytest.warns(UserWarning, match="the CPU takes over"):
        out = on_device_or_cpu(torch.device("cuda"), compute)
    assert tried == ["cuda", "cpu"]
    assert torch.equal(out, bicubic_upscale(y, 2))


def test_nothing_comes_after_the_cpu():
    def compute(device):
        raise out_of_memory()

    with pytest.raises(torch.OutOfMemoryError):
        on_device_or_cpu(torch.device("cpu"), compute)


@pytest.mark.parametrize(("size", "tile"), [((150, 97), 64), ((70, 9), 24)], ids=str)
def test_the_unrolled_solver_in_tiles_makes_the_same_picture(scene, size, tile):
    """Within a grey level, but for a few pixels along the picture's own border, of which these pictures are full."""
    y, kernel = scene.low_res[..., : size[0], : size[1]], kernel_of(SLANTED)
    net = network(None, ("unrolled", "usrnet"))
    whole, tiled = (unrolled.solve(y, kernel, 2, net, Told(0.003, 0.1), tile=t) for t in (None, tile))
    difference = (levels(whole) - levels(tiled)).abs()
    assert (difference > 1).float().mean() < 3e-3
    assert difference[..., 16:-16, 16:-16].numel() == 0 or difference[..., 16:-16, 16:-16].max() <= 1
    assert difference.max() <= 8


def test_the_unfolding_solver_in_tiles_makes_the_same_picture(scene):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prior = PatchModel(PatchDenoiser(3, 8), 0.004, 0.6)
    y, kernel = scene.low_res[..., :150, :97], kernel_of(SLANTED)
    settings = UnfoldingSettings(iterations=4)
    whole, tiled = (unfolding.solve(y, kernel, 2, prior, settings, 0.003, t) for t in (None, 64))
    difference = (levels(whole) - levels(tiled)).abs()
    assert difference[..., 16:-16, 16:-16].max() <= 1
    assert difference.max() <= 8
