"""Resizing as other programs do it, for comparison."""

import numpy as np
import numpy.typing as npt
import PIL.Image


def lanczos(pixels: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """`pixels` (H, W, C) at `size` (width, height) by Pillow's Lanczos filter (a = 3), pixel centres aligned.

    In floating point and not clipped: near edges the result leaves the range of the picture.
    """
    planes = [PIL.Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(pixels, -1, 0)]
    return np.stack([np.asarray(plane.resize(size, PIL.Image.Resampling.LANCZOS)) for plane in planes], -1)
