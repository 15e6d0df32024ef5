"""The colour models of print, CMYK and CIELAB, as RGB."""

from typing import Any

import numpy as np
import numpy.typing as npt

from kfsr.image.profiles import Meaning, icc_of

FloatArray = npt.NDArray[np.float32]

_D50 = np.array([0.96422, 1.0, 0.82521])

# XYZ of D50 to linear light: IEC 61966-2-1 and BT.2020, with Bradford's adaptation.
_TO_SRGB = np.array(
    [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
)
_TO_BT2020 = np.array(
    [[1.6473376, -0.3935676, -0.2359961], [-0.6826036, 1.6475887, 0.0128190], [0.0296524, -0.0628994, 1.2531279]]
)
_WIDE = Meaning(((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), (0.3127, 0.3290)))
_CLIPPED = 0.002
_BLACK_POINT = 0x2000  # lcms: compensation


def lab_to_rgb(lab: npt.NDArray[Any]) -> tuple[FloatArray, bytes | None]:
    """(H, W, 3) CIELAB of D50 (L 0..100, a and b as they are) as stored RGB in [0, 1], and the profile that it needs:
    None for sRGB, BT.2020's colours where sRGB does not hold the picture's."""
    y = (lab[..., 0] + 16) / 116
    xyz = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)
    xyz = np.where(xyz > 6 / 29, xyz**3, 3 * (6 / 29) ** 2 * (xyz - 4 / 29)) * _D50
    light, profile = xyz @ _TO_SRGB.T, None
    if float(light.min()) < -_CLIPPED or float(light.max()) > 1 + _CLIPPED:
        light, profile = xyz @ _TO_BT2020.T, icc_of(_WIDE, 3)
    light = np.clip(light, 0, 1)
    stored = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return stored.astype(np.float32), profile


def cmyk_to_rgb(inks: npt.NDArray[Any], icc_profile: bytes | None) -> tuple[FloatArray, bool]:
    """(H, W, 4) inks, uint8 or uint16, as sRGB in [0, 1], and whether the profile could be used; without one the
    colours are approximate."""
    import imagecodecs

    white = np.float32(np.iinfo(inks.dtype).max)
    if icc_profile and icc_profile[16:20] == b"CMYK":
        srgb = imagecodecs.cms_profile("srgb")
        inks = np.ascontiguousarray(inks)
        try:
            made = imagecodecs.cms_transform(
                inks, icc_profile, srgb, colorspace="cmyk", outcolorspace="rgb", intent=1, flags=_BLACK_POINT
            )
            return np.ascontiguousarray(made, np.float32) / white, True
        except (ValueError, RuntimeError, TypeError):
            pass
    values = inks.astype(np.float32) / white
    return (1 - values[..., :3]) * (1 - values[..., 3:]), False
