"""A field of kernels as a value."""

import copy
import pickle

import numpy as np
import pytest

from kfsr.errors import InputError, UsageError
from kfsr.kernel import KernelField, box_kernel


def kernels(*shape):
    k = np.random.default_rng(0).random(shape)
    return k / k.sum((-2, -1), keepdims=True)


def test_a_kernel_is_the_field_of_one():
    kernel = box_kernel(3)
    field = KernelField.of(kernel)
    assert field.array.shape == (1, 1, 1, kernel.size, kernel.size)
    assert np.array_equal(field.array[0, 0, 0], kernel.array)
    assert field.scale == 3


@pytest.mark.parametrize("again", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_nobody_can_write_into_it(again):
    source = kernels(2, 3, 3, 6, 6)
    field = KernelField(source, 2)
    source[:] = 0  # the field holds a copy
    same = again(field)
    assert np.array_equal(same.array, field.array)
    assert (same.array.dtype, same.scale) == (np.float64, 2)
    for one in (field, same):
        with pytest.raises(ValueError, match="read-only"):
            one.array[0] = 1


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((6, 6), "got shape"),
        ((2, 2, 2, 6, 6), "got shape"),
        ((0, 2, 1, 6, 6), "got shape"),
        ((2, 2, 1, 6, 8), "square"),
        ((2, 2, 1, 7, 7), "parity"),
        ((1, 1, 1, 130, 130), "at most 129"),
    ],
)
def test_other_shapes_are_refused(shape, words):
    with pytest.raises(InputError, match=words):
        KernelField(np.ones(shape), 2)


def test_every_kernel_is_checked():
    array = kernels(2, 3, 3, 6, 6)
    array[1, 2, 0] *= 1.01
    with pytest.raises(InputError, match="sum to 1"):
        KernelField(array, 2)
    array[1, 2, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        KernelField(array, 2)
    with pytest.raises(UsageError, match="scale 5"):
        KernelField(array, 5)
