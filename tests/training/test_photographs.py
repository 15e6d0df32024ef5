"""Crops of a folder of photographs."""

import numpy as np
import pytest

from kfsr.training.photographs import Photographs, pictures_in


def test_crops_are_the_same_under_a_seed_and_lie_in_the_range(photographs):
    every = Photographs([photographs])
    one, again = (every.draw(5, 96, np.random.default_rng(0)) for _ in range(2))
    assert one.shape == (5, 96, 96, 3)
    assert one.dtype == np.float32
    assert one.min() >= 0
    assert 0.5 < one.max() <= 1
    assert np.array_equal(one, again)
    assert not np.array_equal(one, every.draw(5, 96, np.random.default_rng(1)))


def test_pictures_are_used_at_the_sizes_that_are_large_enough(photographs):
    assert len(pictures_in([photographs])) == 2
    assert {picture.shape[0] for picture in Photographs([photographs]).pictures} == {200}


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no picture of 144 px"):
        Photographs([tmp_path])
