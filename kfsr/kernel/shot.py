"""How a photograph was taken: what tells one setting of a lens from another."""

from __future__ import annotations

from dataclasses import dataclass


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
    from kfsr.image.shot import shot_in  # loads Pillow

    return Shot(*shot_in(exif))
