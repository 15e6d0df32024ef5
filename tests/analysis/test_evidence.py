"""What a blurred picture says of its kernel, on pictures whose kernel is known."""

import numpy as np
import pytest
import torch
from skimage import data

from kfsr.analysis.evidence import evidence, windowed
from kfsr.analysis.few_edges import alternated, centred, coarser, few_edges_objective, middle
from kfsr.analysis.periodogram import spectrum_misfit
from kfsr.kernel.random import camera_shake
from kfsr.operator.spatial import degrade


def shaken(extent, seed=3, picture=data.camera):
    """((256, 256) `windowed` middle of a shaken photograph, its kernel (64, 64) about `middle`)."""
    k = torch.from_numpy(camera_shake(extent, np.random.default_rng(seed)).sample(1, 63).array.copy()).float()
    x = torch.from_numpy(picture() / 255.0).float()[None, None]
    y = degrade(x, k, 1)[0, 0, 100:356, 100:356]
    return windowed(((y * 255).round() / 255)[None])[0], torch.nn.functional.pad(k, (0, 1, 0, 1))


def correlation(a, b):
    spectra = [torch.fft.rfft2(k, s=(128, 128)) for k in (a, b)]
    best = torch.fft.irfft2(spectra[0] * spectra[1].conj(), s=(128, 128)).max()
    return float(best / (a.norm() * b.norm()))


def test_the_middle_is_the_canonical_one():
    assert [middle(scale) for scale in (1, 2, 3, 4)] == [31, 31.5, 31, 31.5]


def test_a_window_fades_at_its_border_and_lies_in_the_middle():
    w = windowed(torch.rand(1, 100, 60) + 3)[0]
    assert w.shape == (256, 256)
    assert w[78:178, 98:158].abs().min(1).values.max() < 1e-2
    assert w[:78].abs().max() == w[178:].abs().max() == w[:, :98].abs().max() == 0
    assert w[120:136].abs().max() > 0.1


@pytest.mark.parametrize("scale", [1, 2])
def test_the_autocorrelation_shows_how_far_two_ghosts_are_apart(scale):
    """White noise beside itself, 11 pixels to the right and 6 down: a peak at that lag and at the opposite one."""
    x = torch.randn(256, 256, generator=torch.Generator().manual_seed(0))
    maps = evidence((x + x.roll((6, 11), (0, 1)))[None], scale)
    assert maps.shape == (1, 11, 64, 64)
    assert maps.isfinite().all()
    for map_ in (6, 9):
        seen = maps[0, map_].clone()
        seen[24:40, 28:36] = 0  # around no lag
        row, col = divmod(int(seen.argmax()), 64)
        lag = (row - middle(scale), col - middle(scale))
        assert lag == pytest.approx((6, 11), abs=0.5) or lag == pytest.approx((-6, -11), abs=0.5)


def test_the_maps_of_the_two_directions_change_places_with_the_axes():
    picture, _ = shaken(20)
    maps, turned = evidence(picture[None], 1), evidence(picture.mT[None], 1)
    torch.testing.assert_close(turned[:, 7], maps[:, 8].mT, atol=1e-2, rtol=0)


def test_crude_kernels_are_like_the_kernel_and_not_like_the_kernel_turned():
    """A path with a bend, which is not its own mirror image."""
    picture, k = shaken(24, 2, lambda: data.coffee()[:400, 100:500].mean(-1))
    crude = evidence(picture[None], 1)[0, 5].square()
    assert correlation(crude, k) > 0.8
    assert correlation(crude, k) > correlation(crude.flip(0, 1), k) + 0.05


def test_the_true_kernel_has_a_lower_objective_than_others():
    picture, k = shaken(30)
    i = torch.arange(64) - 31.0
    spot = torch.exp(-(i[:, None] ** 2 + i**2) / (2 * 6**2))
    turned = k.flip(0, 1).roll((-1, -1), (0, 1))
    true, *others = few_edges_objective(picture, torch.stack([k, turned, spot / spot.sum()]), 1).tolist()
    assert true < min(others)


def test_a_kernel_at_half_the_resolution_keeps_sum_and_centre():
    """And is what the averages of 2 x 2 pixels see: exactly so for a picture that is constant in such blocks."""
    _, k = shaken(30)
    small = coarser(k[None], 31.0)[0]
    i = torch.arange(32) - 15.0
    assert small.shape == (32, 32)
    assert float(small.sum()) == pytest.approx(1)
    assert float(small.sum(1) @ i) == pytest.approx(0, abs=0.02)
    spot = torch.zeros(1, 64, 64)
    spot[0, 31, 35] = 1  # four pixels to the right, so two of the small ones
    expected = torch.zeros(32, 32)
    expected[15, 17] = 1
    torch.testing.assert_close(coarser(spot, 31.0)[0], expected)


def test_centring_moves_a_kernel_by_parts_of_a_pixel():
    k = torch.zeros(1, 64, 64)
    k[0, 20, 40], k[0, 21, 40] = 0.5, 0.5
    moved = centred(k, 31.0)[0]
    i = torch.arange(64) - 31.0
    assert float(moved.sum(1) @ i) == pytest.approx(0, abs=0.05)
    assert float(moved.sum(0) @ i) == pytest.approx(0, abs=0.05)


def test_rounds_bring_a_rough_kernel_nearer_to_the_true_one():
    picture, k = shaken(24, 2, lambda: data.coffee()[:400, 100:500].mean(-1))
    i = torch.arange(64) - 31.0
    spot = torch.exp(-(i[:, None] ** 2 + i**2) / (2 * 2**2))
    rough = torch.nn.functional.conv2d(k[None, None], spot[None, None, 25:38, 25:38] / spot.sum(), padding=6)[0]
    found = alternated(picture, rough, 1, (6, 2))
    assert correlation(found[0], k) > correlation(rough[0], k) + 0.05
    assert found.sum((1, 2)).tolist() == pytest.approx([1.0])


def test_rounds_without_an_edge_change_nothing():
    k = shaken(24)[1][None]
    assert alternated(torch.zeros(256, 256), k, 1, (0, 2)).isfinite().all()


def test_the_spectrum_tells_a_kernels_size_and_direction_but_not_its_half_turn():
    picture, k = shaken(30)
    i = torch.arange(64) - 31.0
    spots = [torch.exp(-(i[:, None] ** 2 + i**2) / (2 * width**2)) for width in (0.5, 8)]
    others = torch.stack([k, k.mT, *(one / one.sum() for one in spots)])
    true, *wrong = spectrum_misfit(picture, others, 1).tolist()
    assert true < min(wrong)
    turned = k.flip(0, 1).roll((-1, -1), (0, 1))
    assert float(spectrum_misfit(picture, turned[None], 1)) == pytest.approx(true, abs=1e-4)
