"""Brightness as the papers of this field score it."""

import numpy as np
import numpy.typing as npt

# BT.601 studio range, for values in [0, 1]: black is 16/255, white is 235/255.
_WEIGHTS = np.array([65.481, 128.553, 24.966])
_OFFSET = 16.0


def luma(pixels: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The Y of BT.601, without rounding: Y = (16 + 65.481 R + 128.553 G + 24.966 B) / 255.

    `pixels` is (H, W), (H, W, 1) or (H, W, 3) with stored (gamma) values in [0, 1]; gray counts as R = G = B.
    Returns (H, W) float64 in [16/255, 235/255]. Raises ValueError for any other shape.
    """
    values = np.asarray(pixels, dtype=np.float64)
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 3):
        raise ValueError(f"luma needs (H, W), (H, W, 1) or (H, W, 3), not {np.shape(pixels)}")
    if values.shape[2] == 1:
        values = np.repeat(values, 3, axis=2)
    y: npt.NDArray[np.float64] = (_OFFSET + values @ _WEIGHTS) / 255
    return y
