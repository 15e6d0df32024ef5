"""The pixels of one page of a TIFF, as tifffile and imagecodecs decode them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kfsr.image.errors import UnsupportedError
from kfsr.image.pixels import meaning_of

if TYPE_CHECKING:
    from tifffile import TiffPage

_MOST_CHANNELS = 64
_TALKATIVE = (22610, 34933, 34934)
"""Compressions, JPEG XR and PNG, whose libraries write of damage on standard error, megabytes of it."""


def decoded(data: bytes, page: TiffPage, following: int = 0) -> npt.NDArray[Any]:
    """The values (H, W, C) of a page of the TIFF `data`. following: for pages behind this one that have no directory of
    their own, their number.

    Raises UnsupportedError for sound pages of a kind that is not read, and what tifffile and imagecodecs raise for
    damaged ones.
    """
    planes, depth, height, width, samples = page.shaped
    if depth != 1:
        raise UnsupportedError("a volume in one page")
    if planes * samples > _MOST_CHANNELS:
        raise UnsupportedError(f"{planes * samples} channels")
    _check_length(page, len(data))
    if following:
        stored = np.dtype(page.dtype).newbyteorder("<" if page.parent.byteorder == "<" else ">")
        at = page.dataoffsets[0] + following * page.nbytes
        plain = np.frombuffer(data, stored, planes * height * width * samples, at)
        return np.moveaxis(plain.reshape(planes, height, width, samples), 0, -2).reshape(height, width, -1)
    if _needs_libtiff(page) and isinstance(page.index, int):
        return _by_libtiff(data, page)
    try:
        with _quiet() if int(page.compression) in _TALKATIVE else contextlib.nullcontext():
            values = page.asarray(maxworkers=1)
    except (ValueError, NotImplementedError, KeyError) as error:
        if not any(word in str(error) for word in ("not supported", "not implemented", "COMPRESSION")):
            raise
        raise UnsupportedError(f"{_name(page.compression)} compression") from error
    return np.moveaxis(values.reshape(planes, height, width, samples), 0, -2).reshape(height, width, -1)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """While it runs, what libraries write to the process's standard error is lost."""
    try:
        before = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def _check_length(page: TiffPage, length: int) -> None:
    """Raise ValueError where pixels lie beyond the end of the file: the decoder would make them up."""
    if not page.dataoffsets:
        raise ValueError("no pixels")
    counts = page.databytecounts or (0,) * len(page.dataoffsets)
    if any(offset + count > length for offset, count in zip(page.dataoffsets, counts, strict=False)):
        raise ValueError("pixels beyond the end of the file")
    planes, _, height, width, samples = page.shaped
    bits = page.bitspersample * samples if isinstance(page.bitspersample, int) else sum(page.bitspersample) // planes
    needed = planes * height * -(-width * bits // 8)
    if page.compression == 1 and not page.is_tiled and not page.is_subsampled and sum(counts) < needed and all(counts):
        raise ValueError(f"{sum(counts)} bytes of pixels where {needed} are needed")


def _needs_libtiff(page: TiffPage) -> bool:
    """Whether tifffile cannot make RGB of the page: YCbCr that is not compressed by JPEG or its like, and what
    programs of the nineties called JPEG."""
    decodes = page.compression in (7, 33003, 33004, 33005, 34712, 34892, 33007, 34927, 50001, 50002, 52546)
    return (meaning_of(page) == 6 and not decodes) or page.compression == 6


def _by_libtiff(data: bytes, page: TiffPage) -> npt.NDArray[Any]:
    import imagecodecs

    values = imagecodecs.tiff_decode(data, index=page.index, asrgb=True)
    if values.shape != (page.imagelength, page.imagewidth, 4):
        raise ValueError(f"decoded as {values.shape}")
    return np.ascontiguousarray(values[..., :3])


def _name(compression: Any) -> str:
    return str(getattr(compression, "name", compression))
