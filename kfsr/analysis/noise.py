"""The noise of a picture and the errors of its compression, from the picture alone."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 8
"""Side of JPEG's blocks in pixels."""

TEXTURE = 0.005
"""Noise level, [-1, 1] units (.64 grey levels), that a clean photograph's detail may be taken for; of the 56 pictures
of DIV2KRK at x2 and x4 the finest detail reads 1.7 grey levels."""

_PATCH = 6
_QUIET = 0.3
_SHARE = 9
_MOST = 40_000
_LARGEST_STEP = 30.0  # grey levels; larger ones are the picture's own
_LEAST_EXCESS = 0.45
_LEAST_LEAD = 0.6  # grey levels; of 208 clean photographs the largest lead of one place in both directions was .51


def noise_level(low_res: Tensor) -> float:
    """Standard deviation of white noise in (1, C, h, w), in the picture's units; the mean over the channels.

    Noise has the same power in every direction of the space of patches, detail only in a few (the idea of Chen et al.
    2015): the mean of the smallest quarter of the eigenvalues of the covariance of 6 x 6 patches, of those 30 % with
    the least contrast. What correlates from pixel to pixel, as JPEG's errors do, is not seen. 0 for a picture that is
    smaller than a patch.
    """
    if min(low_res.shape[-2:]) < _PATCH:
        return 0.0
    return sum(_level(plane) for plane in low_res[0]) / low_res.shape[1]


def noise_variance(low_res: Tensor) -> float:
    """Variance of white noise in (1, C, h, w) of [-1, 1], less what fine detail may be taken for."""
    return max(noise_level(low_res) ** 2 - TEXTURE**2, 0.0)


def compression_level(low_res: Tensor) -> float:
    """Root mean square of JPEG's errors in (1, C, h, w) of [-1, 1], from the steps it leaves between blocks; 0 if none.

    A step is what the edge between two pixels has beyond the slopes on both sides of it. How much higher steps are
    between the blocks than inside them goes with the errors: 2 + 1.4 * excess grey levels, measured on photographs at
    qualities 60 to 92. The blocks start at the picture's corner; in a picture that was cut they start elsewhere, which
    is believed where one place stands out from all others in both directions.
    """
    luminance = low_res[0].mean(0).double() * 127.5
    if min(luminance.shape) < 3 * BLOCK:
        return 0.0
    both = [_steps(luminance), _steps(luminance.T)]
    excess = [_excess(at, 0) for at in both]
    found = min(excess) > _LEAST_EXCESS / 2 and sum(excess) / 2 > _LEAST_EXCESS
    if not found:
        excess = [_excess(at, int(at.argmax())) for at in both]
        found = all(float(at.sort().values.diff()[-1]) > _LEAST_LEAD for at in both)
    return (2 + 1.4 * sum(excess) / 2) / 127.5 if found else 0.0


def _steps(plane: Tensor) -> Tensor:
    """(8,): the mean step before the pixels of columns p, p + 8, ... of (h, w), for p = 0 to 7."""
    edge = plane.diff(dim=1)
    step = (edge[:, 1:-1] - (edge[:, :-2] + edge[:, 2:]) / 2).abs().clamp_max(_LARGEST_STEP).mean(0)
    # Entry n is the edge before pixel n + 2.
    return torch.stack([step[(p - 2) % BLOCK :: BLOCK].mean() for p in range(BLOCK)])


def _excess(at: Tensor, place: int) -> float:
    return float((at[place] * BLOCK - at.sum()) / (BLOCK - 1))


def _level(plane: Tensor) -> float:
    patches = plane.unfold(0, _PATCH, 1).unfold(1, _PATCH, 1)
    rows, cols = patches.shape[:2]
    # Only those looked at are copied: all of them would take 36 times the picture.
    some = torch.arange(0, rows * cols, max(1, rows * cols // _MOST), device=plane.device)
    patches = patches[some // cols, some % cols].flatten(1).double()
    contrast = patches.var(1)
    quiet = patches[contrast <= torch.quantile(contrast, _QUIET)]
    quiet = quiet - quiet.mean(0)
    power = torch.linalg.eigvalsh(quiet.T @ quiet / len(quiet))[:_SHARE].mean()
    # Choosing the quiet patches and the small eigenvalues loses a tenth of white noise.
    return float(power.clamp_min(0).sqrt()) / 0.9
