"""What makes the kernel of two heaps doubtful is told."""

import warnings

import numpy as np
import pytest
import scipy.ndimage as ndi

from kfsr.analysis.heap import gather
from kfsr.pipeline.heaps import FEW, warn_of


def heap(count, blur):
    """Random fields of power 1/f^2.7, as photographs have, blurred."""
    random, n = np.random.default_rng(1), 160
    f, g = np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None]
    fall = np.maximum(np.hypot(f, g), 1 / n) ** -1.35
    planes = (np.fft.irfft2(np.fft.rfft2(random.normal(size=(n, n))) * fall, (n, n)) for _ in range(count))
    return gather(((str(i), ndi.gaussian_filter(x, blur, mode="wrap")) for i, x in enumerate(planes)), 64, 24)


def told(pictures, clean):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        warn_of(pictures, clean)
    return [str(one.message) for one in seen]


def test_large_sharp_heaps_are_not_doubted():
    assert told(FEW, heap(FEW, 0.0)) == []


@pytest.mark.parametrize("counts", [(FEW - 1, FEW), (FEW, FEW - 1)])
def test_a_small_heap_is_told(counts):
    (said,) = told(counts[0], heap(counts[1], 0.0))
    assert said.startswith(f"{counts[0]} blurred and {counts[1]} clean pictures are few")


def test_a_clean_heap_that_is_soft_is_told():
    (said,) = told(FEW, heap(FEW, 1.2))
    assert said.startswith("the clean pictures are soft themselves")
