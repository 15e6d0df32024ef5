"""Heaps of photographs: what is kept of them."""

import numpy as np
import pytest

from kfsr.analysis.heap import gather
from kfsr.analysis.heap_field import gather_field
from kfsr.analysis.spectrum import mean_periodogram
from kfsr.errors import InputError, NothingToLearn


def noise(count, shape=(96, 128), seed=0):
    random = np.random.default_rng(seed)
    return [(f"{n}.png", random.normal(0.5, 0.1, shape)) for n in range(count)]


def test_a_stream_is_the_same_as_a_list():
    pictures = noise(5)
    one, other = gather(pictures, 32, 3, 64), gather(iter(pictures), 32, 3, 64)
    assert np.array_equal(one.spectra, other.spectra)
    assert one.pictures == other.pictures == 5


def test_photographs_beyond_the_groups_are_averaged_into_them():
    pictures = noise(5)
    heap = gather(pictures, 32, 3, 64)
    assert heap.spectra.shape == (3, 32, 32)
    assert len(heap.windows) == 3
    mean = (mean_periodogram(pictures[1][1], 32) + mean_periodogram(pictures[4][1], 32)) / 2
    assert np.allclose(heap.spectra[1], mean)


def test_the_typical_spectrum_knows_no_direction():
    lines = [("lines", np.tile(np.random.default_rng(n).normal(size=96), (96, 1))) for n in range(3)]
    typical = gather(lines, 32, 3).typical
    assert np.allclose(typical, typical.T)
    assert np.allclose(typical[1:], typical[:0:-1])


def test_some_of_the_patches_tell_nearly_the_same():
    plane = noise(1, (512, 512))[0][1]
    every, some = mean_periodogram(plane, 32), mean_periodogram(plane, 32, 200)
    assert abs(np.log(some.mean() / every.mean())) < 0.03


def test_small_photographs_are_named():
    with pytest.raises(NothingToLearn, match=r"0\.png: 128x96 px are too few"):
        gather(noise(1), 128, 3)
    with pytest.raises(NothingToLearn, match="no picture"):
        gather([], 32, 3)


def test_white_noise_has_its_variance_at_every_place_and_no_phase_between_the_colours():
    heap = gather_field(noise(6, (128, 160, 3)), (2, 3), 32, 2, 16)
    assert heap.spectra.shape == (2, 3, 3, 2, 32, 32)
    assert heap.size == (160, 128)
    power = heap.spectra[..., 4:29, 4:29].mean((3, 4, 5))
    assert np.allclose(power, 0.01, rtol=0.2)
    assert np.abs(heap.between.mean((0, 1))).max() < 0.1


def test_a_photograph_of_another_size_is_named():
    pictures = [*noise(1, (128, 160, 3)), ("turned.png", np.zeros((160, 128, 3)))]
    with pytest.raises(InputError, match=r"turned\.png: 128x160 px, but the first picture has 160x128"):
        gather_field(pictures, (2, 2), 32, 2, 16)


def test_too_fine_a_grid_says_so():
    with pytest.raises(NothingToLearn, match="take a coarser grid"):
        gather_field(noise(1, (128, 160, 3)), (16, 16), 32, 2, 16)
