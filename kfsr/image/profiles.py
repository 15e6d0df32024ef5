"""What the values of a picture mean where no ICC profile says it: PNG's chunks, and the numbers of HEIC and AVIF.

PNG can carry both on. For other formats they are turned into a profile that says the same.
"""

import io
import struct
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ImageCms

from kfsr.image.extras import Chunk

Point = tuple[float, float]

# ITU-T H.273, for cICP, AVIF and HEIC.
_D65 = (0.3127, 0.3290)
_PRIMARIES: dict[int, tuple[Point, Point, Point, Point]] = {  # red, green, blue, white
    1: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}
_SRGB_PRIMARIES = _PRIMARIES[1]
_UNSPECIFIED = 2
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}
_SRGB_LIKE = frozenset({1, 2, 6, 7, 11, 12, 13, 14, 15})  # video's curves are shown as sRGB's is
_PQ, _HLG = 16, 18
_WHITE_NITS = 203.0
"""Diffuse white of HDR pictures (ITU-R BT.2408): what a screen without HDR shows as its white."""

_STEPS = 1024
_GAMMA_OF_SRGB = 2.2


@dataclass(frozen=True)
class Meaning:
    """primaries: red, green, blue and white in xy. gamma: the power that makes light of values; None: sRGB's curve.
    hdr: H.273's number of PQ or HLG, else 0."""

    primaries: tuple[Point, Point, Point, Point] = _SRGB_PRIMARIES
    gamma: float | None = None
    hdr: int = 0

    @property
    def is_srgb(self) -> bool:
        """As far as eyes can tell; a gamma of 2.2 is shown as sRGB everywhere."""
        near = np.allclose(self.primaries, _SRGB_PRIMARIES, atol=0.002)
        return near and not self.hdr and (self.gamma is None or abs(self.gamma - _GAMMA_OF_SRGB) < 0.02)


def coded(primaries: int, transfer: int) -> tuple[Chunk, ...]:
    """H.273's numbers, as HEIC and AVIF give them, as PNG's cICP; () where they say nothing that sRGB does not."""
    if primaries in (_UNSPECIFIED, 1, 6, 5) and transfer in _SRGB_LIKE:
        return ()
    return ((b"cICP", bytes([primaries, transfer, 0, 1])),) if 0 < primaries < 256 and 0 < transfer < 256 else ()


ADOBE_RGB: tuple[Chunk, ...] = (
    (b"gAMA", struct.pack(">I", 45470)),
    (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)),
)


def meaning(chunks: tuple[Chunk, ...]) -> Meaning | None:
    """What PNG's colour chunks say, by their order of precedence; None where they say nothing that is known."""
    found = dict(reversed(chunks))
    if len(found.get(b"cICP", b"")) == 4:
        primaries, transfer = found[b"cICP"][:2]
        known = _PRIMARIES.get(primaries, _SRGB_PRIMARIES if primaries == _UNSPECIFIED else None)
        if known is not None and (transfer in _SRGB_LIKE or transfer in _GAMMAS or transfer in (_PQ, _HLG)):
            return Meaning(known, _GAMMAS.get(transfer), transfer if transfer in (_PQ, _HLG) else 0)
    if b"sRGB" in found:
        return Meaning()
    if b"gAMA" not in found and b"cHRM" not in found:
        return None
    gamma, primaries_xy = None, _SRGB_PRIMARIES
    if len(found.get(b"gAMA", b"")) == 4:
        (stored,) = struct.unpack(">I", found[b"gAMA"])
        if not 5_000 <= stored <= 1_000_000:
            return None
        gamma = 100_000 / stored
    if len(found.get(b"cHRM", b"")) == 32:
        white, *others = np.reshape(struct.unpack(">8I", found[b"cHRM"]), (4, 2)) / 100_000
        red, green, blue = others
        primaries_xy = tuple((float(x), float(y)) for x, y in (red, green, blue, white))  # type: ignore[assignment]
        if not all(0 < y < 1 and 0 <= x < 1 for x, y in primaries_xy):
            return None
    return Meaning(primaries_xy, gamma)


def icc_of(said: Meaning, channels: int) -> bytes | None:
    """An ICC profile for 1 or 3 channels that says the same; None for sRGB, which needs none, and for primaries that
    no profile can be made of.

    HDR's white is put at diffuse white, so that a program without HDR shows the picture neither dark nor pale, and
    lights brighter than that as white.
    """
    return None if said.is_srgb else _icc(said, channels)


@cache
def _icc(said: Meaning, channels: int) -> bytes | None:
    import imagecodecs

    about: dict[str, Any] = {"whitepoint": (*said.primaries[3], 1.0)}
    if channels == 3:
        about["primaries"] = tuple(v for x, y in said.primaries[:3] for v in (x, y, 1.0))
    if said.hdr:
        about["transferfunction"] = _table(_hdr_curve(said.hdr))
    elif said.gamma is not None:
        about["gamma"] = said.gamma
    else:
        about["transferfunction"] = _table(_srgb_light(np.linspace(0, 1, _STEPS)))
    try:
        made: bytes = imagecodecs.cms_profile("rgb" if channels == 3 else "gray", **about)
    except (ValueError, RuntimeError):
        return None
    # The hour it was made in goes: the same picture gives the same file.
    return made[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + made[36:]


def _table(curve: npt.NDArray[np.floating]) -> npt.NDArray[np.uint16]:
    return np.rint(curve * 65535).astype(np.uint16)


def _srgb_light(values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _hdr_curve(transfer: int) -> npt.NDArray[np.floating]:
    """Light of values 0 to 1, diffuse white being 1 and what is brighter clipped."""
    values = np.linspace(0, 1, _STEPS)
    if transfer == _PQ:  # SMPTE ST 2084
        power = values ** (1 / 78.84375)
        light = (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
        light *= 10_000 / _WHITE_NITS
    else:  # ARIB STD-B67 with the system gamma of a screen of 1000 nits
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
        light = scene**1.2 * 1000 / _WHITE_NITS
    return np.clip(light, 0, 1)


def to_srgb(picture: PIL.Image.Image, icc_profile: bytes) -> PIL.Image.Image | None:
    """A picture of 8 bits, gray, RGB or CMYK without alpha, as sRGB; None when the profile cannot be used."""
    try:
        return ImageCms.profileToProfile(
            picture,
            ImageCms.ImageCmsProfile(io.BytesIO(icc_profile)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def is_srgb_profile(icc_profile: bytes) -> bool:
    """Whether a profile says of itself that it is sRGB."""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc_profile)))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return False
    return "srgb" in name.lower()
