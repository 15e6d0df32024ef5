"""A decoded page of a TIFF as gray or RGB in [0, 1], with alpha, and with what further channels it has."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kfsr.image.errors import UnsupportedError
from kfsr.image.inks import cmyk_to_rgb, lab_to_rgb
from kfsr.image.sample import Sample
from kfsr.image.value import FloatArray, unpremultiply

if TYPE_CHECKING:
    from tifffile import TiffPage

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR, _CIELAB, _ICCLAB = 0, 1, 2, 3, 4, 5, 6, 8, 9
_GRAYS = (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _MASK)
_PREMULTIPLIED, _ALPHA = 1, 2
_PHOTOMETRIC, _EXTRA, _INK_SET = 262, 338, 332
_FAX = (2, 3, 4)


@dataclass(frozen=True)
class Pixels:
    """pixels (H, W, 1 or 3), alpha (H, W), depth and sample as in `Image`; planes: further channels, gray each."""

    pixels: FloatArray
    alpha: FloatArray | None
    depth: int
    sample: Sample | None = None
    icc_profile: bytes | None = None
    planes: tuple[Pixels, ...] = ()


def pixels_of(page: TiffPage, values: npt.NDArray[Any], icc_profile: bytes | None, name: str) -> Pixels:
    """The `values` (H, W, C) of a page. name: for warnings. Raises UnsupportedError for a kind that is not read."""
    colours = _colours(page)
    if values.shape[2] < colours:
        raise ValueError(f"{values.shape[2]} channels where {colours} are needed")
    alpha, premultiplied, planes = None, False, []
    for at, what in enumerate(_extra(page, values.shape[2] - colours), colours):
        if what in (_PREMULTIPLIED, _ALPHA) and alpha is None and (found := _alpha(page, values[..., at])) is not None:
            alpha, premultiplied = found, what == _PREMULTIPLIED
        else:
            planes.append(_gray(page, values[..., at : at + 1]))
    stored = values[..., :colours]
    if alpha is not None and premultiplied and stored.dtype.kind == "f":
        stored = stored / np.where(alpha > 0, alpha, 1)[..., None].astype(stored.dtype)
    main = _colour(page, stored, icc_profile, name)
    if alpha is not None and premultiplied and main.sample is None:
        main = replace(main, pixels=unpremultiply(main.pixels, alpha))
    return replace(main, alpha=alpha, planes=tuple(planes))


def meaning_of(page: TiffPage) -> int:
    """TIFF's number of what the values are. Where the page does not say it, as libtiff takes it: black for 0, and three
    for RGB. tifffile takes white for 0, which is right for what fax machines write."""
    if page.tags.get(_PHOTOMETRIC) is not None or page.compression in _FAX:
        return int(page.photometric)
    return _RGB if page.samplesperpixel >= 3 else _BLACK_IS_ZERO


def _colours(page: TiffPage) -> int:
    kind = meaning_of(page)
    if kind in _GRAYS:
        return 1
    if kind in (_RGB, _YCBCR, _CIELAB, _ICCLAB):
        return 3
    ink_set = page.tags.get(_INK_SET)
    if kind == _CMYK and (ink_set is None or ink_set.value == 1):
        return 4
    if kind == _PALETTE:
        return 1
    raise UnsupportedError(f"{getattr(page.photometric, 'name', kind)} values")


def _extra(page: TiffPage, count: int) -> list[int]:
    """What the channels beside the colours are, one number each."""
    tag = page.tags.get(_EXTRA)
    if tag is None:  # some programs leave it out for alpha
        return [_ALPHA] if count == 1 and meaning_of(page) == _RGB else [0] * count
    said = list(tag.value) if isinstance(tag.value, tuple) else [tag.value]
    return [int(one) for one in (said + [0] * count)[:count]]


def _colour(page: TiffPage, values: npt.NDArray[Any], icc_profile: bytes | None, name: str) -> Pixels:
    kind = meaning_of(page)
    if kind == _PALETTE:
        return _from_palette(page, values)
    if kind == _CMYK:
        if values.dtype not in (np.uint8, np.uint16):
            raise UnsupportedError(f"{values.dtype.name} values of CMYK")
        pixels, exact = cmyk_to_rgb(values, icc_profile)
        if not exact and icc_profile:
            warnings.warn(
                f"{name}: its CMYK colour profile cannot be used; colours are approximate", UserWarning, stacklevel=2
            )
        return Pixels(pixels, None, 8 * values.dtype.itemsize)
    if kind in (_CIELAB, _ICCLAB):
        pixels, profile = lab_to_rgb(_lab(values, kind))
        warnings.warn(f"{name}: CIELAB is written as RGB", UserWarning, stacklevel=2)
        return Pixels(pixels, None, 8 if values.dtype.itemsize == 1 else 16, None, profile)
    found = _gray(page, values)
    pixels = 1 - found.pixels if kind == _WHITE_IS_ZERO else found.pixels
    return Pixels(pixels, None, found.depth, found.sample, icc_profile)


def _gray(page: TiffPage, values: npt.NDArray[Any]) -> Pixels:
    """Values of any type that need no other colours."""
    if values.dtype.kind == "c" or values.dtype.itemsize > 8 or values.dtype.name in ("int64", "uint64"):
        raise UnsupportedError(f"{values.dtype.name} values")
    bits = _bits(page, values)
    if bits:
        return Pixels(_scaled(values, bits), None, 8 if bits <= 8 else 16)
    try:
        sample = Sample.of(values)
    except ValueError as error:
        raise UnsupportedError(str(error)) from error
    return Pixels(sample.to_unit(values), None, 16, sample)


def _bits(page: TiffPage, values: npt.NDArray[Any]) -> int:
    """Of values that begin at 0 and of which the largest is white; 0 for all others."""
    if values.dtype.kind == "b":
        return 1
    if values.dtype.kind != "u" or values.dtype.itemsize > 2:
        return 0
    said = page.bitspersample
    bits = said if isinstance(said, int) else 8 * values.dtype.itemsize
    return bits if 0 < bits <= 8 * values.dtype.itemsize else 8 * values.dtype.itemsize


def _scaled(values: npt.NDArray[Any], bits: int) -> FloatArray:
    scaled: FloatArray = np.ascontiguousarray(values, np.float32) / np.float32(2**bits - 1)
    return np.minimum(scaled, 1) if bits % 8 else scaled


def _alpha(page: TiffPage, values: npt.NDArray[Any]) -> FloatArray | None:
    """None for values that cannot be an opacity."""
    if bits := _bits(page, values):
        return _scaled(values, bits)
    low, high = float(values.min()), float(values.max())
    white = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
    if not (low >= 0 and high <= white):
        return None
    return (values.astype(np.float64) / white).astype(np.float32)


def _from_palette(page: TiffPage, values: npt.NDArray[Any]) -> Pixels:
    colours = page.colormap
    if colours is None or values.dtype.kind not in "ub":
        raise UnsupportedError("a palette of another kind")
    table: npt.NDArray[Any] = np.asarray(colours).T
    if int(table.max(initial=0)) > 255:  # 16 bits, as they should be
        table = table >> 8
    index = values[..., 0].astype(np.intp)
    if int(index.max(initial=0)) >= len(table):
        raise ValueError("colours beyond the palette")
    return Pixels(_scaled(table[index].astype(np.uint8), 8), None, 8)


def _lab(values: npt.NDArray[Any], kind: int) -> npt.NDArray[Any]:
    """L 0..100, a and b as they are."""
    if values.dtype in (np.float32, np.float64) and kind == _CIELAB and np.isfinite(values).all():
        return values
    if values.dtype not in (np.uint8, np.uint16, np.int8, np.int16):
        raise UnsupportedError(f"{values.dtype.name} values of CIELAB")
    size = values.dtype.itemsize
    bits, step = 8 * size, 2.0 ** (8 * size - 8)
    stored: Any = values
    unsigned = stored.view(f"u{size}")
    if kind == _CIELAB:
        opponents = unsigned[..., 1:].astype(np.float64)
        opponents -= 2.0**bits * (opponents >= 2.0 ** (bits - 1))  # signed
        return np.dstack([unsigned[..., 0] * (100 / (2**bits - 1)), opponents / step])
    white = 255 * step
    return np.dstack([unsigned[..., 0] * (100 / white), unsigned[..., 1:] / step - 128])
