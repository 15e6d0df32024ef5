"""NIQE through basicsr, and what is said where it is not installed."""

import importlib.util
import sys

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data

from kfsr.errors import InputError, UsageError
from kfsr.evaluation.niqe import niqe

INSTALLED = importlib.util.find_spec("basicsr") is not None
with_basicsr = pytest.mark.skipif(not INSTALLED, reason="basicsr is not installed (docs/install.md)")
PHOTO = data.astronaut().astype(np.float32) / 255


@with_basicsr
def test_a_photograph_scores_better_than_itself_blurred_or_noisy():
    blurred = gaussian_filter(PHOTO, (2, 2, 0))
    noisy = PHOTO + 0.1 * np.random.default_rng(0).standard_normal(PHOTO.shape, dtype=np.float32)
    assert niqe(PHOTO) < niqe(blurred)
    assert niqe(PHOTO) < niqe(noisy.clip(0, 1))


@with_basicsr
def test_no_stand_in_of_basicsr_stays_behind():
    niqe(PHOTO)
    assert "basicsr" not in sys.modules


@with_basicsr
def test_the_border_counts():
    framed = np.zeros((552, 552, 3), dtype=np.float32)
    framed[20:-20, 20:-20] = PHOTO
    assert niqe(framed, 20) == niqe(PHOTO)
    with pytest.raises(InputError, match="too small"):
        niqe(PHOTO, 200)


@pytest.mark.skipif(INSTALLED, reason="basicsr is installed")
def test_without_basicsr_it_says_what_to_install():
    with pytest.raises(UsageError, match=r"basicsr==1\.4\.2"):
        niqe(PHOTO)
