"""How a photograph was taken, as its EXIF says: what tells one lens setting from another."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import PIL.Image

_EXIF_IFD = 0x8769
_MAKE, _MODEL, _LENS, _FOCAL_LENGTH, _APERTURE = 0x010F, 0x0110, 0xA434, 0x920A, 0x829D


@dataclass(frozen=True)
class Shot:
    """camera, lens: as the maker writes them, "" where not known. focal_length: millimetres, aperture: the f-number, 0
    where not known."""

    camera: str = ""
    lens: str = ""
    focal_length: float = 0.0
    aperture: float = 0.0

    def differences(self, other: Shot) -> list[str]:
        """What both know and do not agree in, in words; a hundredth more or less is the same."""
        said = []
        for name in ("camera", "lens"):
            mine, others = getattr(self, name), getattr(other, name)
            if mine and others and mine != others:
                said.append(f"{name} {others} and not {mine}")
        for name, unit in (("focal_length", "{:g} mm"), ("aperture", "f/{:g}")):
            mine, others = getattr(self, name), getattr(other, name)
            if mine and others and abs(mine - others) > 0.01 * mine:
                said.append(f"{unit.format(others)} and not {unit.format(mine)}")
        return said


def shot_of(exif: bytes | None) -> Shot:
    """What an EXIF block says, as `Image.exif` holds it; nothing where it cannot be read."""
    if exif is None:
        return Shot()
    try:
        tags = PIL.Image.Exif()
        tags.load(exif)
        inner: dict[int, Any] = tags.get_ifd(_EXIF_IFD)
        make, model = _text(tags.get(_MAKE)), _text(tags.get(_MODEL))
        camera = model if model.startswith(make) else f"{make} {model}".strip()
        return Shot(camera, _text(inner.get(_LENS)), _number(inner.get(_FOCAL_LENGTH)), _number(inner.get(_APERTURE)))
    except (ValueError, TypeError, KeyError, struct.error, OSError, SyntaxError, AttributeError):
        return Shot()


def _text(value: Any) -> str:
    return " ".join(str(value).replace("\0", " ").split()) if isinstance(value, str) else ""


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return round(number, 2) if 0 < number < 1e5 else 0.0
