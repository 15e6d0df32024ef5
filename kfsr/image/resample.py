"""Resizing as other programs do it: for comparison, and from a whole scale down to the size that is wanted."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import PIL.Image

from kfsr.image.value import Image, unpremultiply


def lanczos(pixels: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """`pixels` (H, W, C) at `size` (width, height) by Pillow's Lanczos filter (a = 3), pixel centres aligned.

    In floating point and not clipped: near edges the result leaves the range of the picture.
    """
    planes = [PIL.Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(pixels, -1, 0)]
    return np.stack([np.asarray(plane.resize(size, PIL.Image.Resampling.LANCZOS)) for plane in planes], -1)


def shrunk(image: Image, size: tuple[int, int]) -> Image:
    """`image` at a smaller `size` (width, height) by the same filter, which takes the mean of more pixels the smaller
    the size is; colours count by their alpha."""
    scale = size[0] / image.width
    pixels, alpha = lanczos(image.premultiplied(), size), None
    if image.alpha is not None:
        alpha = np.clip(lanczos(image.alpha[..., None], size)[..., 0], 0, 1)
        pixels = unpremultiply(np.clip(pixels, 0, 1), alpha)
    return replace(image.resized(pixels, alpha, scale), planes=tuple(shrunk(one, size) for one in image.planes))
