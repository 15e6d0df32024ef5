"""Decoding 16-bit PNG and TIFF with Pillow, which has no 16-bit colour modes.

Pillow unpacks 16-bit colour to 8 bits: of each value it takes the byte that is the more significant one in the byte
order it was told. Told the other order, it takes the other byte. Two passes of the same, well-tried decoders give all
16 bits, and gray with alpha is one pass as if each byte were a channel.
"""

import io
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ImageFile, PngImagePlugin, TiffImagePlugin

from kfsr.image.value import FloatArray, unit_values, unpremultiply

Deep = npt.NDArray[np.uint16]

_BITS, _PHOTOMETRIC, _SAMPLES, _PLANAR, _EXTRA, _FORMAT = 258, 262, 277, 284, 338, 339
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_UNSPECIFIED, _PREMULTIPLIED, _ALPHA = 0, 1, 2


class UnsupportedError(Exception):
    """A sound file of a kind that is not read; the text says which."""


def open_deep(data: bytes, kind: str) -> ImageFile.ImageFile:
    """The header of a 16-bit PNG or TIFF (`kind`), its pixels not decoded yet.

    Raises UnsupportedError for a TIFF that is neither gray nor RGB of unsigned values, all of a pixel in one place,
    and what Pillow raises for damaged files.
    """
    if kind == "TIFF":
        return _DeepTiff(io.BytesIO(data))
    return PngImagePlugin.PngImageFile(io.BytesIO(data))


def load_deep(opened: ImageFile.ImageFile, data: bytes) -> tuple[FloatArray, FloatArray | None]:
    """The pixels (H, W, 1 or 3) and alpha (H, W) of what `open_deep` opened in `data`, as `Image` holds them.

    A TIFF is turned upright, a PNG is as it is stored. Raises what Pillow raises for damaged files.
    """
    if isinstance(opened, _DeepTiff):
        return _load_tiff(opened, data)
    assert isinstance(opened, PngImagePlugin.PngImageFile)
    return _load_png(opened, data)


def _load_png(opened: PngImagePlugin.PngImageFile, data: bytes) -> tuple[FloatArray, FloatArray | None]:
    rawmode = str(opened.tile[0].args)
    if rawmode == "I;16B":
        opened.load()
        values = np.asarray(opened)[..., None]
    elif rawmode == "LA;16B":
        values = _as_pairs(_decoded(opened, "RGBA", "RGBA"), "big")
    elif rawmode in ("RGB;16B", "RGBA;16B"):
        mode = rawmode.removesuffix(";16B")
        again = PngImagePlugin.PngImageFile(io.BytesIO(data))
        values = _joined(_decoded(opened, mode, f"{mode};16B"), _decoded(again, mode, f"{mode};16L"))
    else:
        raise ValueError(f"a 16-bit PNG of type {rawmode}")
    if values.shape[2] in (2, 4):
        return unit_values(values[..., :-1]), unit_values(values[..., -1])
    transparent = opened.info.get("transparency")  # one level, or one colour
    if transparent is None:
        return unit_values(values), None
    return unit_values(values), (values != np.asarray(transparent)).any(axis=2).astype(np.float32)


def _load_tiff(opened: "_DeepTiff", data: bytes) -> tuple[FloatArray, FloatArray | None]:
    # libtiff hands values out in the machine's order, the plain decoder in the file's.
    stored = "little" if opened.tag_v2.prefix == b"II" else "big"
    order = sys.byteorder if opened.tile[0][0] == "libtiff" else stored
    if opened.samples == 1:
        opened.load()
        values: Deep = np.asarray(opened)[..., None]
    elif opened.samples == 2:
        values = _as_pairs(_decoded(opened, "RGBA", "RGBA"), order)
    else:
        mode = "RGB" if opened.samples == 3 else "RGBA"
        first = _decoded(_DeepTiff(io.BytesIO(data)), mode, f"{mode};16B")
        second = _decoded(opened, mode, f"{mode};16L")
        values = _joined(first, second) if order == "big" else _joined(second, first)
    has_extra = opened.samples in (2, 4)
    pixels = unit_values(values[..., :-1] if has_extra else values)
    if opened.white_is_zero:
        pixels = 1 - pixels
    if not has_extra or opened.extra == _UNSPECIFIED:
        return pixels, None
    alpha = unit_values(values[..., -1])
    return (unpremultiply(pixels, alpha) if opened.extra == _PREMULTIPLIED else pixels), alpha


class _DeepTiff(TiffImagePlugin.TiffImageFile):
    """A TIFF whose 16-bit gray with alpha, which Pillow does not know, is shown to it as four 8-bit channels.

    samples: per pixel, 1 to 4; extra: what the last of 2 or 4 is; white_is_zero: whether gray is stored inverted.
    """

    samples = 0
    extra = _ALPHA
    white_is_zero = False

    def _setup(self) -> None:
        if self.tell() > 0:
            return  # the other pages are counted and never decoded, whatever they are
        tags = self.tag_v2
        if set(_numbers(tags.get(_BITS))) != {16}:
            raise UnsupportedError("channels of different depths")
        self._describe(tags)
        if self.white_is_zero:
            tags[_PHOTOMETRIC] = _BLACK_IS_ZERO
        if self.samples == 2:
            tags[_BITS], tags[_SAMPLES], tags[_EXTRA], tags[_PHOTOMETRIC] = (8, 8, 8, 8), 4, (_ALPHA,), _RGB
        super()._setup()

    def _describe(self, tags: TiffImagePlugin.ImageFileDirectory_v2) -> None:
        photometric, self.samples = tags.get(_PHOTOMETRIC, _WHITE_IS_ZERO), tags.get(_SAMPLES, 1)
        if not isinstance(self.samples, int):
            raise ValueError("the number of channels is not a number")
        extra = _numbers(tags.get(_EXTRA))
        self.extra = extra[-1] if extra else _ALPHA
        self.white_is_zero = photometric == _WHITE_IS_ZERO
        if set(_numbers(tags.get(_FORMAT, 1))) != {1}:
            raise UnsupportedError("signed or floating-point values")
        if photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
            raise UnsupportedError("neither gray nor RGB")
        if self.samples not in ((3, 4) if photometric == _RGB else (1, 2)) or len(extra) > 1:
            raise UnsupportedError(f"{self.samples} channels")
        if self.samples > 1 and tags.get(_PLANAR, 1) != 1:
            raise UnsupportedError("channels stored one after the other")


def _numbers(value: Any) -> Sequence[Any]:
    """A tag's numbers: one that stands alone is not a tuple."""
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _decoded(opened: ImageFile.ImageFile, mode: str, rawmode: str) -> npt.NDArray[np.uint8]:
    """The bytes that `opened`, not loaded yet, gives as `mode` when its values are taken for `rawmode`."""
    opened._mode = mode
    opened.tile = [
        tile._replace(args=rawmode if isinstance(tile.args, str) else (rawmode, *(tile.args or ())[1:]))
        for tile in opened.tile
    ]
    opened.load()
    if opened.mode != mode:
        raise ValueError(f"decoded as {opened.mode}")
    return np.asarray(opened)


def _joined(high: npt.NDArray[np.uint8], low: npt.NDArray[np.uint8]) -> Deep:
    values: Deep = high.astype(np.uint16)
    values <<= 8
    values |= low
    return values


def _as_pairs(values: npt.NDArray[np.uint8], order: str) -> Deep:
    """(H, W, 2) from bytes (H, W, 4)."""
    pairs: Deep = np.ascontiguousarray(values).view(">u2" if order == "big" else "<u2")
    return pairs
