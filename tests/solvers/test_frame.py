"""Solving over the frame against solving every pixel with its own kernel."""

import numpy as np
import torch
from skimage import data

from kfsr.analysis.problem import Told
from kfsr.kernel import KernelField, gaussian_kernel
from kfsr.operator import varying
from kfsr.operator.varying import place_weights
from kfsr.solvers.frame import FADE, kernel_at, over_frame
from kfsr.solvers.unrolled import bundled, forward


def softening(cells=2):
    """A field whose kernels widen from left to right, blue a pixel to the right of red."""
    array = np.zeros((1, cells, 3, 15, 15))
    for col in range(cells):
        for channel in range(3):
            k = gaussian_kernel((0.6 + 0.5 * col) * np.eye(2), 1, 15).array
            array[0, col, channel] = np.roll(k, channel - 1, 1)
    return KernelField(array, 1)


def photograph(height, width):
    picture = data.astronaut()[60 : 60 + height, 90 : 90 + width] / 127.5 - 1
    return torch.from_numpy(picture).float().permute(2, 0, 1)[None]


def solve(part, kernel):
    return forward(part, kernel, 1, bundled(1), Told(0.01, 0.1))


def test_tiles_come_within_a_grey_level_of_a_kernel_for_every_pixel():
    """Every column with its own kernel: solved with that of 24 places, and interpolated between their solutions."""
    field, picture = softening(), photograph(160, 320)
    blurred = varying.degrade(picture, torch.from_numpy(field.array.copy()).float(), 1)
    height, width = picture.shape[-2:]
    tiles = over_frame(blurred, field, (0, 0, height, width), solve, 160)
    places = 24
    with torch.no_grad():
        each = [solve(blurred, kernel_at(field, 0.5, (n + 0.5) / places)) for n in range(places)]
    weights = place_weights(places, width).float()
    reference = sum(weight * one for weight, one in zip(weights, each, strict=True))
    difference = (tiles - reference)[..., 8:-8, 8:-8] * 127.5
    assert difference.square().mean().sqrt() < 1
    # It is the field that does it: one kernel for all is further off.
    with torch.no_grad():
        one = solve(blurred, kernel_at(field, 0.5, 0.5))
    assert (one - reference)[..., 8:-8, 8:-8].square().mean() > 4 * (tiles - reference)[..., 8:-8, 8:-8].square().mean()


def test_weights_of_all_tiles_add_up_to_one():
    picture = torch.rand(1, 3, 301, 417, generator=torch.Generator().manual_seed(0))
    same = over_frame(picture, softening(3), (0, 0, 301, 417), lambda part, kernel: part, 90)
    assert torch.allclose(same, picture, atol=1e-6)
    assert 2 * FADE < 90


def test_the_kernel_of_a_place_is_interpolated_and_kept_beyond_the_outermost():
    field = softening()
    left, right = (torch.from_numpy(field.array[0, n].copy()).float() for n in (0, 1))
    assert torch.equal(kernel_at(field, 0.5, 0.1)[0], left)
    assert torch.allclose(kernel_at(field, 0.5, 0.5)[0], (left + right) / 2, atol=1e-4)


def test_a_part_at_its_place_sees_the_kernels_of_its_place():
    seen = []

    def note(part, kernel):
        seen.append(kernel)
        return part

    part = photograph(100, 100)
    over_frame(part, softening(), (0, 300, 100, 400), note, 640)
    assert torch.allclose(seen[0], torch.from_numpy(softening().array[0, 1].copy()).float()[None])


def test_a_gray_picture_is_solved_with_the_mean_of_the_colours():
    seen = []

    def note(part, kernel):
        seen.append(kernel)
        return part

    over_frame(photograph(80, 80)[:, :1], softening(), (0, 0, 80, 80), note, 640)
    assert seen[0].shape[1] == 1
