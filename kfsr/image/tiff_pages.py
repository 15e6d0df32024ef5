"""Pictures as pages of a TIFF, with all that travels beside their pixels."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kfsr.errors import UsageError
from kfsr.image import metadata
from kfsr.image.encoding import explained, to_8_bits, to_16_bits, warn
from kfsr.image.formats import format_by_name, format_by_suffix
from kfsr.image.holding import profile_for_target, what_is_lost
from kfsr.image.ifd import LONG, Directory, Entry
from kfsr.image.tiff_write import TiffFile, is_big
from kfsr.image.value import Image

_IPTC_TAG, _INCH = 33723, 2


class StackWriter:
    """A TIFF of several pages, which are encoded as they are added.

    path: for messages, and its ending must be TIFF's: UsageError; None where the file gets no name. pages: how many are
    expected.
    """

    def __init__(self, path: Path | None, pages: int) -> None:
        if path is not None and format_by_suffix(path).name != "TIFF":
            raise UsageError(f"{path}: only TIFF holds several pages; write .tif")
        self._prefix, self._pages = "" if path is None else f"{path}: ", pages
        self._file: TiffFile | None = None

    def add(self, image: Image) -> None:
        """The next page. Raises OutputError, which names the path."""
        if self._file is None:
            size = sum(one.pixels.nbytes for one in (image, *image.planes)) * self._pages
            self._file = TiffFile(is_big(size))
        _add_page(self._file, image, self._prefix)

    def finish(self) -> bytes:
        """The file's bytes; at least one page must be there. Raises OutputError where they are too many."""
        if self._file is None:
            raise ValueError("no page")
        with explained("TIFF", self._prefix):
            return self._file.finish()


def encode_tiff(image: Image, prefix: str) -> bytes:
    """A TIFF of one page; `prefix` begins every message and names the file."""
    file = TiffFile(is_big(sum(one.pixels.nbytes for one in (image, *image.planes))))
    _add_page(file, image, prefix)
    return file.finish()


def _add_page(file: TiffFile, image: Image, prefix: str) -> None:
    extras, resolution = image.extras, None
    if lost := what_is_lost(image, format_by_name("TIFF")):
        warn(f"{prefix}TIFF cannot hold {', '.join(lost)}; left out")
    profile, said = profile_for_target(image, format_by_name("TIFF"))
    if said:
        warn(f"{prefix}{said}")
    try:
        tags = metadata.tiff_tags(image.exif, image.dpi is None and extras.calibration is None)
    except struct.error:
        warn(f"{prefix}EXIF cannot be stored and is left out")
        tags = Directory()
    tags = tags.plus(*extras.tags)
    if extras.iptc is not None:  # in 32-bit numbers, as Photoshop began to write it, which all readers know
        tags = tags.plus(Entry(_IPTC_TAG, LONG, extras.iptc + bytes(-len(extras.iptc) % 4)))
    if extras.calibration is not None:
        resolution = extras.calibration
    elif image.dpi is not None:
        resolution = (*image.dpi, _INCH)
    alpha = image.alpha is not None
    with explained("TIFF", prefix):
        file.add(
            _stored(image),
            tags,
            colours=image.channels,
            alpha=alpha,
            resolution=resolution,
            icc_profile=metadata.profile_for(profile, image.channels),
            xmp=image.xmp,
        )


def _stored(image: Image) -> npt.NDArray[Any]:
    """(H, W, C) values as a TIFF holds them: colours, alpha, further channels, all of one type."""
    if image.sample is None:
        deep = any(one.depth == 16 for one in (image, *image.planes))
        parts = [image.pixels, *([] if image.alpha is None else [image.alpha[..., None]])]
        parts += [one.pixels for one in image.planes]
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        return to_16_bits(joined) if deep else to_8_bits(joined)
    kind = np.dtype(image.sample.kind)
    stored = [image.sample.from_unit(image.pixels)]
    if image.alpha is not None:
        white = 1.0 if kind.kind == "f" else float(np.iinfo(kind).max)
        alpha = image.alpha[..., None].astype(np.float64) * white
        stored.append((alpha if kind.kind == "f" else np.rint(alpha)).astype(kind))
    stored += [
        (one.pixels if one.sample is None else one.sample.from_unit(one.pixels)).astype(kind) for one in image.planes
    ]
    return np.concatenate(stored, axis=2)
