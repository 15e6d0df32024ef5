"""Colours that go on under the transparent part, and the parts of a picture that can be learned from."""

import numpy as np
import pytest
import torch

from kfsr.analysis.transparency import (
    BLOCK,
    SMALLEST,
    extended,
    opaque_rectangle,
    shape_is_all,
    visible_frame,
)


def noise(*size, seed=0):
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_visible_colours_are_untouched_and_others_follow_their_neighbours():
    colours, alpha = noise(60, 70), torch.ones(1, 1, 60, 70)
    alpha[..., 20:40, 25:50] = 0
    colours[..., 22:38, 27:48] = -1
    found = extended(colours, alpha)
    assert torch.equal(found[..., :20, :], colours[..., :20, :])
    assert found[..., 20:40, 25:50].abs().max() <= colours.abs().max()
    # Another colour in the hidden part changes nothing.
    other = colours.clone()
    other[..., 20:40, 25:50] = 0.7
    assert torch.equal(extended(other, alpha), found)


def test_a_slope_goes_on_as_a_slope():
    """Laplace's equation between two sides of a slope has the slope as its solution."""
    slope = torch.linspace(-0.5, 0.5, 64).expand(1, 3, 64, 64).contiguous()
    alpha = torch.ones(1, 1, 64, 64)
    alpha[..., 24:40, 24:40] = 0
    assert (extended(slope, alpha) - slope).abs().max() < 0.03


def test_little_alpha_is_believed_in_part():
    colours, alpha = torch.full((1, 3, 32, 32), 0.5), torch.ones(1, 1, 32, 32)
    colours[..., 10:12, 10:12] = -0.5
    alpha[..., 10:12, 10:12] = 0.125
    found = extended(colours, alpha)[..., 10:12, 10:12]
    assert ((found > -0.3) & (found < 0.3)).all()


def test_nothing_to_see_is_black():
    assert (extended(noise(9, 9), torch.zeros(1, 1, 9, 9)) == -1).all()


@pytest.mark.parametrize(
    ("colours", "alpha", "expected"), [("flat", "drawn", True), ("photo", "drawn", False), ("flat", "even", False)]
)
def test_where_the_picture_is_its_alpha(colours, alpha, expected):
    drawn = torch.zeros(1, 1, 48, 48)
    drawn[..., 10:30, 12:16] = 1
    shown = {"flat": torch.full((1, 3, 48, 48), 0.1), "photo": noise(48, 48)}[colours]
    assert shape_is_all(shown, {"drawn": drawn, "even": torch.ones(1, 1, 48, 48)}[alpha]) is expected


def test_the_frame_around_what_is_seen_begins_at_blocks():
    alpha = torch.zeros(1, 1, 50, 60)
    alpha[..., 13:30, 21:44] = 0.01
    assert visible_frame(alpha) == (slice(8, 30), slice(16, 44))
    assert visible_frame(torch.zeros(1, 1, 50, 60)) == (slice(0, 50), slice(0, 60))


def opaque_by_trial(alpha):
    """The area of the largest rectangle of opaque blocks, each tried."""
    blocks = np.asarray(alpha[0, 0])
    rows, cols = (n // BLOCK for n in blocks.shape)
    whole = [
        [(blocks[BLOCK * r : BLOCK * (r + 1), BLOCK * c : BLOCK * (c + 1)] == 1).all() for c in range(cols)]
        for r in range(rows)
    ]
    whole = np.array(whole)
    least = SMALLEST // BLOCK
    return max(
        (
            (b - a) * (d - c)
            for a in range(rows)
            for b in range(a + least, rows + 1)
            for c in range(cols)
            for d in range(c + least, cols + 1)
            if whole[a:b, c:d].all()
        ),
        default=0,
    )


@pytest.mark.parametrize("seed", range(6))
def test_the_largest_opaque_rectangle(seed):
    rng = np.random.default_rng(seed)
    alpha = torch.ones(1, 1, 88, 107)
    for _ in range(4):
        row, col = rng.integers(0, 88), rng.integers(0, 107)
        alpha[..., row : row + 3, col : col + 3] = 0
    found = opaque_rectangle(alpha)
    best = opaque_by_trial(alpha)
    if found is None:
        assert best == 0
        return
    rows, cols = found
    assert alpha[..., rows, cols].min() == 1
    assert (rows.stop - rows.start) * (cols.stop - cols.start) == best * BLOCK**2


def test_no_rectangle_in_a_small_picture():
    assert opaque_rectangle(torch.ones(1, 1, 24, 80)) is None
    assert opaque_rectangle(torch.ones(1, 1, 5, 5)) is None
