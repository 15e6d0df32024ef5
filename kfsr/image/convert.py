"""From Pillow's many colour modes to gray or RGB, with or without alpha."""

import warnings

import numpy as np
import numpy.typing as npt
import PIL.Image

from kfsr.image.profiles import to_srgb

_GRAY_MODES = frozenset({"1", "L", "LA", "La"})
_COLOUR_MODES = frozenset({"P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "YCbCr"})
_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})


def to_gray_or_rgb(
    image: PIL.Image.Image, icc_profile: bytes | None, name: str
) -> tuple[PIL.Image.Image, bytes | None]:
    """A loaded picture as L, LA, RGB or RGBA, and the profile that holds for it.

    Gray and 1-bit stay gray; palette, YCbCr and CMYK become RGB, CMYK through its profile where it has one
    (the result is then sRGB and carries none). Transparent colours and palette entries become alpha.
    Raises ValueError for a mode that is none of these; `name` is for warnings.
    """
    alpha = image.mode in _ALPHA_MODES or "transparency" in image.info
    if image.mode in _GRAY_MODES:
        return image.convert("LA" if alpha else "L"), icc_profile
    if image.mode in _COLOUR_MODES:
        return image.convert("RGBA" if alpha else "RGB"), icc_profile
    if image.mode == "CMYK":
        return _from_cmyk(image, icc_profile, name), None
    raise ValueError(image.mode)


def is_sideways(orientation: int) -> bool:
    """Whether EXIF's `orientation` exchanges width and height."""
    return 5 <= orientation <= 8


def upright(values: npt.NDArray[np.float32], orientation: int) -> npt.NDArray[np.float32]:
    """(H, W) or (H, W, C) values that are stored with EXIF's `orientation` 1..8, the way they are to be seen."""
    if is_sideways(orientation):
        values = values.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return np.ascontiguousarray(values)


def _from_cmyk(image: PIL.Image.Image, icc_profile: bytes | None, name: str) -> PIL.Image.Image:
    if icc_profile and icc_profile[16:20] == b"CMYK":
        converted = to_srgb(image, icc_profile)
        if converted is not None:
            return converted
        warnings.warn(
            f"{name}: its CMYK colour profile cannot be used; colours are approximate", UserWarning, stacklevel=2
        )
    return image.convert("RGB")
