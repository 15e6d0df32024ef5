"""Kernels of two heaps, on scenes whose spectrum is known: textures that fall with the frequency."""

import numpy as np
import pytest
import torch

from kfsr.analysis.heap import gather
from kfsr.analysis.heap_field import gather_field
from kfsr.estimators import heaps, lens
from kfsr.kernel import Kernel, compare_kernels, gaussian_kernel
from kfsr.operator import spatial, varying
from kfsr.settings import HeapSettings

CFG = HeapSettings(iterations=60, field_iterations=30, lens_support=15)


def scenes(count, shape, seed, channels=1):
    """Random fields of power 1/f^2, all channels alike, in about [0, 1]."""
    random = np.random.default_rng(seed)
    f, g = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    fall = 1 / np.maximum(np.hypot(f, g), 1 / max(shape))
    for n in range(count):
        x = np.fft.irfft2(np.fft.rfft2(random.normal(size=shape)) * fall, shape)
        x = 0.5 + 0.15 * x / x.std()
        yield f"{n}.png", np.stack([x] * channels, -1) if channels > 1 else x


def blurred(pictures, kernel, noise, seed=5, scale=1):
    random = np.random.default_rng(seed)
    k = torch.from_numpy(kernel.array.copy())
    for name, x in pictures:
        y = spatial.degrade(torch.from_numpy(x)[None, None], k, scale, "valid")[0, 0].numpy()
        yield name, y + noise * random.normal(size=y.shape)


def spectra_of(kernel, noise, scale=1, count=6):
    observed = gather(blurred(scenes(count, (320, 352), 1), kernel, noise, scale=scale), 64 // scale, 24)
    clean = gather(scenes(count, (320, 352), 2), 64, 24)
    return heaps.Spectra(observed.spectra[None], clean.typical[None], scale, CFG)


@pytest.mark.parametrize("noise", [0.005, 0.04])
def test_the_noise_is_learned_within_a_tenth(noise):
    kernel = gaussian_kernel(np.diag([2.0, 1.0]), 1, 15)
    found = heaps.fit_gaussian(spectra_of(kernel, noise), 15, 1.0, CFG)
    assert found.noise == pytest.approx(noise, rel=0.1)


def test_a_gaussian_is_found_with_its_direction():
    truth = gaussian_kernel(np.array([[2.0, 0.7], [0.7, 1.0]]), 1, 15)
    found = heaps.fit_gaussian(spectra_of(truth, 0.01), 15, 1.0, CFG)
    score = compare_kernels(Kernel.from_array(found.kernels[0], 1), truth)
    assert score.ncc > 0.995
    assert score.size_ratio == pytest.approx(1, abs=0.1)


def test_at_scale_2_the_aliases_are_folded_in():
    truth = gaussian_kernel(np.diag([1.6, 0.8]), 2, 16)
    found = heaps.fit_gaussian(spectra_of(truth, 0.005, scale=2, count=8), 16, 1.0, CFG)
    score = compare_kernels(Kernel.from_array(found.kernels[0], 2), truth)
    assert score.ncc > 0.99
    assert score.size_ratio == pytest.approx(1, abs=0.12)


def test_the_free_form_explains_what_no_gaussian_does():
    """Two spots, 6 px apart: zeros in the spectrum."""
    array = np.zeros((15, 15))
    array[7, 4:6] = array[7, 9:11] = 0.25
    spectra = spectra_of(Kernel.from_array(array, 1), 0.01)
    start = heaps.fit_gaussian(spectra, 15, 2.0, CFG)
    free = heaps.fit(spectra, start.kernels, CFG, heaps.rough(0.001))
    assert free.misfit < start.misfit - 0.02
    # Of the autocorrelation, which is what spectra tell, the lag of 5 px between the spots' middles stands out.
    own = np.abs(np.fft.ifft2(np.abs(np.fft.fft2(free.kernels[0], (31, 31))) ** 2))
    assert own[0, 5] > 3 * own[0, 3]


def test_edges_are_a_quadratic_with_their_least_squares_at_its_bottom():
    random = np.random.default_rng(3)
    truth = torch.from_numpy(gaussian_kernel(np.diag([1.0, 2.0]), 1, 7).array.copy())
    gram = torch.zeros(13, 13, dtype=torch.float64)
    gram[6, 6] = 4.0
    misfit = heaps.edges_misfit((gram, 4.0 * truth), 1.0)
    best = float(misfit(truth[None]))
    for _ in range(5):
        other = truth + 0.01 * torch.from_numpy(random.normal(size=(7, 7)))
        assert float(misfit(other[None])) > best


def shifted_field(blur):
    """2 x 2 places, three colours: red a pixel up, blue half a pixel left; `blur` the variance of all."""
    array = np.zeros((2, 2, 3, 15, 15))
    for place in np.ndindex(2, 2):
        for channel, move in enumerate(((-1.0, 0.0), (0.0, 0.0), (0.0, -0.5))):
            i = np.arange(15) - 7
            k = np.exp(-((i[:, None] - move[0]) ** 2 + (i[None] - move[1]) ** 2) / (2 * blur))
            array[(*place, channel)] = k / k.sum()
    return array


def field_of(array, noise=0.005, seed=4):
    k = torch.from_numpy(array)
    random = np.random.default_rng(seed)

    def seen():
        for name, x in scenes(6, (192, 224), 1, 3):
            y = varying.degrade(torch.from_numpy(x).permute(2, 0, 1)[None], k, 1)[0].permute(1, 2, 0).numpy()
            yield name, y + noise * random.normal(size=y.shape)

    observed = gather_field(seen(), (2, 2), 32, 6, 36)
    clean = gather(scenes(6, (192, 224), 2), 32, 24)
    return lens.estimate(observed, np.stack([clean.typical] * 3), CFG)


def centres(array):
    i = np.arange(array.shape[-1]) - (array.shape[-1] - 1) / 2
    return np.stack([array.sum(-1) @ i, array.sum(-2) @ i], -1)


def test_a_known_field_is_found_again():
    array = shifted_field(1.5)
    array[:, 1] = shifted_field(3.0)[:, 1]  # softer on the right
    found, noise = field_of(array)
    assert noise == pytest.approx(0.005, rel=0.15)
    scores = [
        compare_kernels(Kernel.from_array(found.array[place], 1), Kernel.from_array(array[place], 1)).ncc_shift2
        for place in np.ndindex(2, 2, 3)
    ]
    assert min(scores) > 0.95
    spread = [found.array[:, col].max((-1, -2)).mean() for col in (0, 1)]
    assert spread[0] > 1.3 * spread[1]


def test_pure_lateral_colour_gives_shifts_and_little_blur():
    array = shifted_field(0.12)
    found, _ = field_of(array)
    moves, truth = centres(found.array), centres(array)
    moves, truth = moves - moves.mean((0, 1, 2)), truth - truth.mean((0, 1, 2))
    assert np.abs(moves - truth).max() < 0.15
    i = np.arange(15) - 7
    variance = (found.array.sum(-1) @ i**2) - (found.array.sum(-1) @ i) ** 2
    assert variance.max() < 0.8


def test_the_whole_is_centred_and_the_colours_are_not():
    found, _ = field_of(shifted_field(1.0))
    assert np.abs(centres(found.array).mean((0, 1, 2))).max() < 0.05
    assert np.abs(centres(found.array)[..., 0, 0] - centres(found.array)[..., 1, 0]).min() > 0.6


def test_neighbours_are_tied_to_each_other():
    rough = lens._roughness((1, 2, 1), 1.0)
    numbers = torch.tensor([[0.5, 0.0, 0.5], [1.0, 0.0, 1.0]])
    assert float(rough(numbers)) == pytest.approx(0.5)
    assert float(rough(numbers[:1].repeat(2, 1))) == 0


def test_a_lens_with_a_halo_keeps_its_width_though_the_scenes_differ():
    """The clean scenes are sharper: their spectra fall by |f|^.4 less in power."""
    i = np.arange(25) - 12
    truth = (1 + (i[:, None] ** 2 + i**2) / 3.0) ** -2.25
    array = np.tile(truth / truth.sum(), (1, 2, 1, 1, 1))
    k, random = torch.from_numpy(array), np.random.default_rng(4)

    def seen():
        for name, x in scenes(8, (256, 288), 1, 1):
            y = varying.degrade(torch.from_numpy(x)[None, None], k, 1)[0, 0].numpy()[..., None]
            yield name, y + 0.005 * random.normal(size=y.shape)

    cfg = HeapSettings()
    observed = gather_field(seen(), (1, 2), 64, 6, 36)
    clean = gather(scenes(8, (256, 288), 2), 64, 24).typical
    f = np.fft.fftfreq(64)
    sharper = np.maximum(np.hypot(f[:, None], f), 1 / 64) ** 0.4
    found, _ = lens.estimate(observed, (clean * sharper)[None], cfg)
    radius = i[:, None] ** 2 + i**2
    widths = (found.array * radius).sum((3, 4)) / (array * radius).sum((3, 4))
    assert np.abs(np.log(widths)).max() < 0.25


def test_moffats_lie_where_they_are_told_to():
    k = heaps.moffats(torch.tensor([[0.3, 0.0, 0.3]]), 25, 2.25, torch.tensor([[0.4, -0.25]]))
    k = (k / k.sum()).numpy()
    i = np.arange(25) - 12
    assert np.allclose((k.sum(2) @ i, k.sum(1) @ i), [[0.4], [-0.25]], atol=0.03)
