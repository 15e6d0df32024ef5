"""Pictures of Pillow as values, and back."""

from __future__ import annotations

import numpy as np
import PIL.Image

from kfsr.errors import UsageError
from kfsr.image.convert import to_gray_or_rgb
from kfsr.image.encoding import to_8_bits, to_16_bits
from kfsr.image.value import Image

PillowImage = PIL.Image.Image

_WIDE = ("I;16", "I;16L", "I;16B", "I;16N")


def from_pillow(picture: PIL.Image.Image) -> Image:
    """The picture as it stands: EXIF's orientation is not heeded, as Pillow itself does not. UsageError for a mode that
    is neither gray nor colour."""
    if picture.mode in _WIDE:
        return Image.from_array(np.asarray(picture).astype(np.uint16))
    if picture.mode == "F":
        return Image.from_array(np.asarray(picture, np.float32))
    try:
        plain, _ = to_gray_or_rgb(picture, picture.info.get("icc_profile"), "the picture")
    except ValueError as error:
        raise UsageError(f"a picture of mode {picture.mode} cannot be used; convert it to L, RGB or RGBA") from error
    values = np.asarray(plain)
    if plain.mode == "LA":
        gray = Image.from_array(values[..., 0])
        return gray.with_pixels(gray.pixels, values[..., 1].astype(np.float32) / 255)
    return Image.from_array(values)


def to_pillow(image: Image, like: PIL.Image.Image) -> PIL.Image.Image:
    """The same kind of picture as `like`, with its profile and resolution; one bit and palettes become gray and RGB."""
    if like.mode in _WIDE:
        made = PIL.Image.fromarray(to_16_bits(image.pixels[..., 0]))
    elif like.mode == "F":
        made = PIL.Image.fromarray(np.ascontiguousarray(image.pixels[..., 0]))
    else:
        values = image.pixels if image.alpha is None else np.dstack([image.pixels, image.alpha])
        mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[values.shape[2]]
        bits = to_8_bits(np.ascontiguousarray(values))
        made = PIL.Image.fromarray(bits[..., 0] if mode == "L" else bits, mode)
        if mode != like.mode and like.mode in ("YCbCr", "RGBX", "RGBa", "La", "CMYK"):
            made = made.convert(like.mode)
    made.info |= {name: like.info[name] for name in ("icc_profile", "dpi", "exif") if name in like.info}
    return made
