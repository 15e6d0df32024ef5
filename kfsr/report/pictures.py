"""The pictures of a report: a window of each result beside the same window before, and the kernel, as small files."""

from __future__ import annotations

import base64
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from kfsr.errors import InputError
from kfsr.image import Image, encode_image, lanczos, read_image
from kfsr.operator.spatial import bicubic_upscale

Pixels = npt.NDArray[np.float32]

TOTAL = 18_000_000
"""Bytes of all pictures of a page together, before they are written as text, which takes a third more."""

SIDES = ((4, 1400), (24, 800), (120, 480))
"""Up to so many pictures, the side of each one's window; of more than these, `SIDE_OF_MANY`, less beyond a thousand."""

SIDE_OF_MANY = 300
LEAST_SIDE = 96
THUMB = 150

_QUALITIES = ((90, 0.5), (80, 0.25), (65, 0.15), (45, 0.0))
"""Of WebP, each with the bytes for a pixel from which on it is worth a try."""
_MARGIN = 8
"""Low-resolution pixels around a window, so that bicubic interpolation sees what it would in the whole picture."""


@dataclass(frozen=True)
class Shot:
    """layers: what each picture shows, and its file; the first is what the second is compared with. size: width and
    height of the layers. place: of the window in the whole result as (left, top, width, height) shares of it, None
    where it is the whole. thumb: the whole result, small."""

    layers: tuple[tuple[str, bytes], ...]
    size: tuple[int, int]
    place: tuple[float, float, float, float] | None
    thumb: bytes


def side_for(count: int) -> int:
    """Side of the windows of a page with so many pictures."""
    many = max(LEAST_SIDE, round(SIDE_OF_MANY * min(1.0, math.sqrt(1000 / max(count, 1)))))
    return next((side for most, side in SIDES if count <= most), many)


def shot_of_files(result: Path, source: Path | None, count: int, scale: int | None = None) -> Shot:
    """The window of a result in which most is to be seen, and the same one before. count: pictures on the page, which
    share `TOTAL`. scale: 1 compares with the picture as it is. Raises InputError for a result that cannot be read."""
    after = _read(result)
    before = None
    if source is not None and source.is_file():
        try:
            before = _read(source)
        except InputError:
            before = None
    return shot_of([("kfsr", after)], before, count, "before" if scale == 1 else "bicubic")


def shot_of(layers: Sequence[tuple[str, Pixels]], low_res: Pixels | None, count: int, name: str) -> Shot:
    """The same of pixels (H, W, 3) in [0, 1], all of one size but for `low_res`, which is enlarged to it and gets the
    `name`; the first of the layers is the result."""
    after = layers[0][1]
    window = busiest(after, side_for(count))
    row, col, rows, cols = window
    shown = [(label, pixels[row : row + rows, col : col + cols]) for label, pixels in layers]
    if low_res is not None:
        shown.insert(0, (name, _enlarged(low_res, after.shape[:2], window)))
    height, width = after.shape[:2]
    whole = (rows, cols) == (height, width)
    place = None if whole else (col / width, row / height, cols / width, rows / height)
    room = TOTAL // max(count, 1)
    thumb = encode_image(_image(_small(after, min(THUMB, side_for(count) // 2))), "WEBP", 70)
    return Shot(_fitting(shown, room - len(thumb)), (cols, rows), place, thumb)


def _fitting(shown: list[tuple[str, Pixels]], room: int) -> tuple[tuple[str, bytes], ...]:
    """The pictures' files, as good as there is room for."""
    files: list[tuple[str, bytes]] = []
    pixels = sum(one.shape[0] * one.shape[1] for _, one in shown)
    for quality, least in _QUALITIES:
        if least and room < least * pixels:
            continue
        files = [(label, encode_image(_image(one), "WEBP", quality)) for label, one in shown]
        if sum(len(data) for _, data in files) <= room:
            break
    return tuple(files)


def busiest(pixels: Pixels, side: int) -> tuple[int, int, int, int]:
    """(row, column, rows, columns) of the window of at most `side` px with the most detail."""
    height, width = pixels.shape[:2]
    rows, cols = min(side, height), min(side, width)
    gray = pixels.mean(-1)
    step = max(1, min(rows, cols) // 16)
    h, w = height // step * step, width // step * step
    energy = np.zeros((height, width), np.float32)
    energy[1:] += np.abs(np.diff(gray, axis=0))
    energy[:, 1:] += np.abs(np.diff(gray, axis=1))
    energy = np.minimum(energy, np.quantile(energy, 0.98))  # one hard edge is not yet detail
    blocks = energy[:h, :w].reshape(h // step, step, w // step, step).sum((1, 3))
    total = np.pad(blocks, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    down, right = rows // step, cols // step
    sums = total[down:, right:] - total[:-down, right:] - total[down:, :-right] + total[:-down, :-right]
    i, j = (int(n) for n in np.unravel_index(int(sums.argmax()), sums.shape))
    return min(i * step, height - rows), min(j * step, width - cols), rows, cols


def kernel_file(kernel: npt.NDArray[np.float64]) -> bytes:
    """A PNG of the kernel, one pixel for each of its values, without empty borders."""
    from kfsr.kernel.plot import colours

    size = np.abs(kernel)
    peak = float(size.max()) or 1.0
    rows, cols = np.nonzero(size > 0.002 * peak)
    ends = (rows.min(), len(kernel) - 1 - rows.max(), cols.min(), len(kernel) - 1 - cols.max()) if len(rows) else (0,)
    cut = max(0, min(int(min(ends)) - 1, len(kernel) // 2 - 4))
    return encode_image(
        Image.from_array(colours(kernel[cut : len(kernel) - cut, cut : len(kernel) - cut] / peak)), "PNG"
    )


def data_uri(data: bytes) -> str:
    """A picture's file as text that stands in a page."""
    kind = "png" if data.startswith(b"\x89PNG") else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _read(path: Path) -> Pixels:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said when it was upscaled
        return flat(read_image(path, max_pixels=2**40))


def flat(image: Image) -> Pixels:
    """(H, W, 3) in [0, 1]; what is transparent shows white."""
    pixels = image.premultiplied()
    if image.alpha is not None:
        pixels = pixels + (1 - image.alpha[..., None])
    return np.broadcast_to(np.clip(pixels, 0, 1), (*pixels.shape[:2], 3)).astype(np.float32)


def before_at(low_res: Pixels, size: tuple[int, ...]) -> Pixels:
    """A picture (h, w, 3) as it would be at `size` (H, W) by interpolation."""
    return _enlarged(low_res, size, (0, 0, size[0], size[1]))


def _enlarged(low_res: Pixels, size: tuple[int, ...], window: tuple[int, int, int, int]) -> Pixels:
    """The window of `low_res` (h, w, 3) enlarged to `size`: by bicubic interpolation, and shrunk where the factor is
    not whole."""
    (height, width), (row, col, rows, cols) = size, window
    h, w = low_res.shape[:2]
    scale = max(1, math.ceil(max(height / h, width / w) - 1e-6))
    if (scale * h, scale * w) == (height, width):
        top, left = max(0, row // scale - _MARGIN), max(0, col // scale - _MARGIN)
        bottom, right = -(-(row + rows) // scale) + _MARGIN, -(-(col + cols) // scale) + _MARGIN
        part = _bicubic(low_res[top:bottom, left:right], scale)
        return part[row - top * scale :, col - left * scale :][:rows, :cols]
    whole = np.clip(lanczos(_bicubic(low_res, scale), (width, height)), 0, 1)
    return whole[row : row + rows, col : col + cols]


def _bicubic(pixels: Pixels, scale: int) -> Pixels:
    planes = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
    return np.ascontiguousarray(bicubic_upscale(planes, scale)[0].permute(1, 2, 0).clamp(0, 1).numpy())


def _small(pixels: Pixels, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    shrink = max(1.0, max(height, width) / side)
    return np.clip(lanczos(pixels, (max(1, round(width / shrink)), max(1, round(height / shrink)))), 0, 1)


def _image(pixels: Pixels) -> Image:
    return Image.from_array(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))
