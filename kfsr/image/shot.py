"""How a photograph was taken, as its EXIF says."""

from __future__ import annotations

import struct
from typing import Any

import PIL.Image

_EXIF_IFD = 0x8769
NOTHING = ("", "", 0.0, 0.0)
_MAKE, _MODEL, _LENS, _FOCAL_LENGTH, _APERTURE = 0x010F, 0x0110, 0xA434, 0x920A, 0x829D


def shot_in(exif: bytes | None) -> tuple[str, str, float, float]:
    """Camera, lens, focal length (mm) and f-number in an EXIF block, as `Image.exif` holds it; "" and 0 for what
    it does not say, and for all of one that cannot be read."""
    if exif is None:
        return NOTHING
    try:
        tags = PIL.Image.Exif()
        tags.load(exif)
        inner: dict[int, Any] = tags.get_ifd(_EXIF_IFD)
        make, model = _text(tags.get(_MAKE)), _text(tags.get(_MODEL))
        camera = model if model.startswith(make) else f"{make} {model}".strip()
        return camera, _text(inner.get(_LENS)), _number(inner.get(_FOCAL_LENGTH)), _number(inner.get(_APERTURE))
    except (ValueError, TypeError, KeyError, struct.error, OSError, SyntaxError, AttributeError):
        return NOTHING


def _text(value: Any) -> str:
    return " ".join(str(value).replace("\0", " ").split()) if isinstance(value, str) else ""


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return round(number, 2) if 0 < number < 1e5 else 0.0
