"""The unrolled solver: what holds for any weights, and what the bundled ones must do."""

import pytest
import torch
from scenes import MIRRORED, SLANTED, kernel_of

from kfsr.analysis.problem import Told
from kfsr.errors import InputError
from kfsr.operator.spatial import degrade
from kfsr.solvers import unrolled
from kfsr.solvers.unrolled import UnrolledNet, from_state
from kfsr.weights import network


def fresh(seed=0, **sizes):
    """Untrained, but for a last layer that does something."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = UnrolledNet(**{"widths": (8, 12), "blocks": 1, "iterations": 2, **sizes})
        for prior in (net.prior, net.last_prior):
            torch.nn.init.normal_(prior.tail.weight, std=0.02)
    return net.eval()


def bundled():
    return network(None, ("unrolled", "usrnet"))


def noise(*shape, seed=1):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) - 0.5


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(21, 17), (5, 3), (1, 1)], ids=str)
def test_the_result_is_exactly_scale_times_the_picture(size, channels, scale):
    kernel = kernel_of([[scale, 0], [0, scale]], scale)
    x = unrolled.solve(noise(1, channels, *size), kernel, scale, fresh(), Told(0.0, 0.5))
    assert x.shape == (1, channels, size[0] * scale, size[1] * scale)
    assert x.dtype == torch.float32
    assert x.isfinite().all()


def test_a_gray_picture_is_one_of_three_equal_channels():
    y, kernel = noise(1, 1, 12, 15), kernel_of(SLANTED)
    gray = unrolled.solve(y, kernel, 2, fresh(), Told(0.0, 0.0))
    colour = unrolled.solve(y.expand(-1, 3, -1, -1), kernel, 2, fresh(), Told(0.0, 0.0))
    torch.testing.assert_close(gray, colour.mean(1, keepdim=True))


@pytest.mark.parametrize(("size", "tile"), [((150, 97), 64), ((96, 96), 32), ((70, 9), 8)], ids=str)
def test_tiles_make_the_same_picture(scene, size, tile):
    """But for the outermost pixels, whose surroundings are made up, and for what bfloat16 rounds."""
    y, kernel = scene.low_res[..., : size[0], : size[1]], kernel_of(SLANTED)
    whole, tiled = (unrolled.solve(y, kernel, 2, bundled(), Told(0.003, 0.1), tile=t) for t in (None, tile))
    assert tiled.shape == whole.shape
    inner = ((whole - tiled).abs() * 127.5)[..., 8:-8, 8:-8]
    assert inner.mean() < 0.25
    assert inner.max() < 4


def test_pictures_of_a_batch_do_not_see_each_other():
    net, y = fresh(), noise(2, 3, 12, 12)
    kernels = torch.stack([kernel_of(SLANTED), kernel_of(MIRRORED)])[:, None]
    sigma, uncertainty = torch.tensor([0.01, 0.05]), torch.tensor([0.0, 1.0])
    with torch.no_grad():
        both = net(y, kernels, 2, sigma, uncertainty)
        for n in (0, 1):
            one = slice(n, n + 1)
            alone = net(y[one], kernels[n, 0], 2, sigma[one], uncertainty[one])
            torch.testing.assert_close(both[one], alone, atol=1e-5, rtol=1e-4)
    # and they are told apart by what is known of them
    assert (net(y[:1], kernels[0, 0], 2, sigma[1:], uncertainty[1:]) - both[:1]).abs().max() > 1e-4


def test_without_a_prior_it_is_the_data_step():
    net = fresh()
    for prior in (net.prior, net.last_prior):
        torch.nn.init.zeros_(prior.tail.weight)
    truth, kernel = noise(1, 3, 24, 32), kernel_of([[1, 0], [0, 1]])
    y = degrade(truth, kernel, 2)
    x = unrolled.solve(y, kernel, 2, net, Told(0.0, 0.0))
    again = degrade(x, kernel, 2)
    assert (again - y)[..., 3:-3, 3:-3].abs().max() < 0.02


@pytest.mark.parametrize("turned", range(1, 8))
def test_averaged_over_all_symmetries_it_has_them(turned):
    """The picture of a turned picture and kernel is the turned picture."""
    net, y, kernel = fresh(), noise(1, 3, 13, 10), kernel_of(SLANTED)

    def turn(x):
        x = torch.rot90(x, turned % 4, (-2, -1))
        return x.flip(-1) if turned > 3 else x

    plain = unrolled.solve(y, kernel, 2, net, Told(0.0, 0.0), ensemble=8)
    again = unrolled.solve(turn(y), turn(kernel), 2, net, Told(0.0, 0.0), ensemble=8)
    torch.testing.assert_close(again, turn(plain), atol=2e-3, rtol=0)
    once = unrolled.solve(turn(y), turn(kernel), 2, net, Told(0.0, 0.0))
    assert (once - turn(unrolled.solve(y, kernel, 2, net, Told(0.0, 0.0)))).abs().max() > 2e-3


def test_sizes_are_read_from_the_parameters():
    net = fresh(3, widths=(8, 12, 16), blocks=2, iterations=3)
    again = from_state(net.state_dict()).eval()
    y, kernel, one = noise(1, 3, 9, 11), kernel_of(SLANTED), torch.ones(1)
    assert torch.equal(net(y, kernel, 2, one, one), again(y, kernel, 2, one, one))


def test_the_last_iteration_has_a_prior_of_its_own():
    """Weights with one prior for all, as they were before, use it there too."""
    net, (y, kernel, one) = fresh(3), (noise(1, 3, 9, 11), kernel_of(SLANTED), torch.ones(1))
    old = {name: value for name, value in net.state_dict().items() if not name.startswith("last_prior.")}
    again = from_state(old)
    assert not torch.equal(again(y, kernel, 2, one, one), net(y, kernel, 2, one, one))
    net.last_prior.load_state_dict(net.prior.state_dict())
    assert torch.equal(again(y, kernel, 2, one, one), net(y, kernel, 2, one, one))


@pytest.mark.parametrize("spoil", ["empty", "missing", "misshapen"])
def test_other_parameters_are_refused(spoil):
    state = fresh().state_dict()
    name = "prior.tail.weight"
    if spoil == "missing":
        del state[name]
    state = {} if spoil == "empty" else state | ({name: torch.zeros(3)} if spoil == "misshapen" else {})
    with pytest.raises(InputError, match="not the weights"):
        from_state(state)


def solved(scene, covariance, uncertainty, sigma=0.0):
    return unrolled.solve(scene.low_res, kernel_of(covariance), 2, bundled(), Told(sigma, uncertainty))


def test_the_true_kernel_beats_bicubic(scene):
    assert scene.gain(solved(scene, SLANTED, 0.0)) > 4.5


def test_the_mirrored_kernel_is_worse(scene):
    assert scene.gain(solved(scene, MIRRORED, 0.0)) < scene.gain(solved(scene, SLANTED, 0.0)) - 4


def test_told_that_the_kernel_is_uncertain_it_forgives_one_that_is_too_wide(scene):
    wide = [[1.3 * v for v in row] for row in SLANTED]
    believed, doubted = (scene.gain(solved(scene, wide, uncertainty)) for uncertainty in (0.0, 1.0))
    assert doubted > believed + 0.3
    assert doubted > 1


def test_told_of_the_noise_it_removes_it(scene):
    grain = 0.06 * torch.randn(scene.low_res.shape, generator=torch.Generator().manual_seed(0))
    blind, told = (
        scene.gain(unrolled.solve(scene.low_res + grain, kernel_of(SLANTED), 2, bundled(), Told(sigma, 0.0)))
        for sigma in (0.0, 0.06)
    )
    assert told > blind + 3
