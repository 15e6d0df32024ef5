"""Writing pictures: rounded to 8 or 16 bits, with their metadata, whole or not at all."""

import io
import os
import struct
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import PngImagePlugin

from kfsr.errors import OutputError, UsageError
from kfsr.files import write_bytes
from kfsr.image.convert import gray_to_srgb
from kfsr.image.deep_write import encode_deep
from kfsr.image.formats import Format, format_by_name, format_by_suffix
from kfsr.image.metadata import profile_for
from kfsr.image.tiff_deflate import deflated
from kfsr.image.value import Image

QUALITY = 95
"""Of JPEG and AVIF where none is asked for."""

# A JPEG segment's length is 16 bits, two of its bytes are the length itself.
_JPEG_SEGMENT = 65533
_XMP_PREFIX = len(b"http://ns.adobe.com/xap/1.0/\0")
_XMP_TAG = 700
_BAND = 256  # rows rounded at once

# What Pillow's encoders are known to raise.
_ENCODE_ERRORS = (OSError, SyntaxError, ValueError, RuntimeError, TypeError, KeyError, OverflowError, struct.error)


def write_image(
    image: Image,
    path: str | os.PathLike[str],
    quality: int | None = None,
    announce: Callable[[bytes], None] | None = None,
) -> None:
    """Write `image` to `path` in the format of its ending, whole or not at all.

    The bytes are those of `encode_image`; `announce` is called with them before anything is written. An existing
    file is replaced and keeps its permissions. Raises UsageError for an unknown ending, OutputError naming `path`
    when it cannot be written; then, as after Ctrl-C, the previous file is untouched and nothing is left beside it.
    """
    path = Path(path)
    data = _encode(image, format_by_suffix(path), quality, f"{path}: ")
    if announce is not None:
        announce(data)
    write_bytes(path, data)


def encode_image(image: Image, format: str, quality: int | None = None) -> bytes:
    """`image` as the bytes of a file in `format` (Pillow's name or an ending, in any case).

    Values are rounded to the picture's depth, and to 8 bits with a UserWarning where the format has no 16. EXIF, XMP,
    ICC and resolution go in where the format holds them. `quality` (1..100, None: 95) is for
    JPEG and AVIF, both with colour at full resolution. WebP is written without loss where it is None, since its lossy
    form halves the resolution of colour; PNG, TIFF and BMP always are. JPEG and BMP have no transparency: what is not
    opaque is laid on white, with a UserWarning. WebP has no gray: a gray picture is written as RGB there.
    Raises UsageError for an unknown format or quality, OutputError when the format cannot hold the picture.
    """
    return _encode(image, format_by_name(format), quality, "")


def _encode(image: Image, target: Format, quality: int | None, prefix: str) -> bytes:
    """As encode_image; `prefix` begins every message and names the file."""
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"{prefix}quality must be from 1 to 100, not {quality}")
    if max(image.size) > target.max_side:
        raise OutputError(
            f"{prefix}{image.width} x {image.height} pixels are too many for {target.name},"
            f" which holds {target.max_side} a side; write .png or .tif"
        )
    if image.depth == 16 and not target.deep:
        _warn(f"{prefix}{target.name} has no 16 bits; written with 8")
    save: Callable[[dict[str, Any]], bytes]
    if image.depth == 16 and target.deep:
        profile = profile_for(image.icc_profile, image.channels)
        save = partial(encode_deep, _to_16_bits(image), target.name)
    else:
        picture, profile = _to_pillow(image, target, prefix)
        save = partial(_save, picture, target)
    if target.name == "TIFF":
        save = partial(_deflated, save)
    options = _options(target, quality)
    if target.dpi and image.dpi is not None:
        options["dpi"] = image.dpi
    if not target.metadata:
        return _save_or_explain(save, options, target, prefix)
    if profile is not None:
        options["icc_profile"] = profile
    exif, xmp = image.exif, image.xmp
    if target.name == "JPEG" and exif is not None and len(exif) > _JPEG_SEGMENT:
        _warn(f"{prefix}EXIF is too large for JPEG and is left out")
        exif = None
    if target.name == "JPEG" and xmp is not None and len(xmp) > _JPEG_SEGMENT - _XMP_PREFIX:
        _warn(f"{prefix}XMP is too large for JPEG and is left out")
        xmp = None
    if exif is not None:
        try:
            return save({**options, **_descriptions(target, exif, xmp)})
        except _ENCODE_ERRORS:
            # Damaged EXIF is the likely cause; without it the reason below is the real one.
            data = _save_or_explain(save, {**options, **_descriptions(target, None, xmp)}, target, prefix)
            _warn(f"{prefix}EXIF cannot be stored and is left out")
            return data
    return _save_or_explain(save, {**options, **_descriptions(target, None, xmp)}, target, prefix)


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=4)


def _options(target: Format, quality: int | None) -> dict[str, Any]:
    match target.name:
        case "JPEG" | "AVIF":
            return {"quality": quality or QUALITY, "subsampling": "4:4:4"}
        case "WEBP":  # exact: keep colours under transparent pixels
            return {"lossless": True, "exact": True} if quality is None else {"quality": quality, "exact": True}
        case "PNG":  # zlib's usual level takes twice as long for a file that is 1.5 per cent smaller
            return {"compress_level": 4}
        case _:  # TIFF is packed afterwards: Pillow's compressed writer cannot store EXIF
            return {}


def _descriptions(target: Format, exif: bytes | None, xmp: bytes | None) -> dict[str, Any]:
    """EXIF and XMP as Pillow's options for saving in `target`. Raises what Pillow does for EXIF it cannot read."""
    if target.name == "TIFF":  # both are in its list of tags
        tags = PIL.Image.Exif()
        if exif is not None:
            tags.load(exif)
        if xmp is not None:
            tags[_XMP_TAG] = xmp
        return {"exif": tags} if len(tags) else {}
    found: dict[str, Any] = {} if exif is None else {"exif": exif}
    if xmp is not None and target.name == "PNG":
        found["pnginfo"] = PngImagePlugin.PngInfo()
        found["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8"))
    elif xmp is not None:
        found["xmp"] = xmp
    return found


def _save(picture: PIL.Image.Image, target: Format, options: dict[str, Any]) -> bytes:
    if target.name == "AVIF" and picture.mode in ("L", "LA"):
        options = {**options, "subsampling": "4:0:0"}
    buffer = io.BytesIO()
    picture.save(buffer, target.name, **options)
    return buffer.getvalue()


def _deflated(save: Callable[[dict[str, Any]], bytes], options: dict[str, Any]) -> bytes:
    return deflated(save(options))


def _save_or_explain(
    save: Callable[[dict[str, Any]], bytes], options: dict[str, Any], target: Format, prefix: str
) -> bytes:
    try:
        return save(options)
    except _ENCODE_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        message = f"{prefix}cannot be stored as {target.name} ({reason}); write .png instead"
        raise OutputError(message) from error


def _to_pillow(image: Image, target: Format, prefix: str) -> tuple[PIL.Image.Image, bytes | None]:
    """The picture in a mode that `target` holds, and the profile that goes with it."""
    pixels, alpha = image.pixels, image.alpha
    profile = profile_for(image.icc_profile, image.channels)
    if alpha is not None and not target.alpha:
        if float(alpha.min()) < 1:
            warnings.warn(
                f"{prefix}{target.name} has no transparency; the picture is laid on white", UserWarning, stacklevel=4
            )
        pixels, alpha = pixels * alpha[..., None] + (1 - alpha[..., None]), None
    values = _to_8_bits(pixels)
    picture = PIL.Image.fromarray(values[..., 0] if image.channels == 1 else values)
    if image.channels == 1 and not target.gray:
        converted = gray_to_srgb(picture, profile) if profile is not None else None
        picture, profile = converted or picture.convert("RGB"), None
    if alpha is not None:
        picture.putalpha(PIL.Image.fromarray(_to_8_bits(alpha)))
    return picture, profile


def _to_8_bits(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    rounded = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _BAND):
        band = slice(start, start + _BAND)
        rounded[band] = np.rint(np.clip(values[band], 0, 1) * 255)
    return rounded


def _to_16_bits(image: Image) -> npt.NDArray[np.uint16]:
    """(H, W, C), alpha being the last channel where there is one."""
    values = image.pixels if image.alpha is None else np.dstack([image.pixels, image.alpha])
    rounded: npt.NDArray[np.uint16] = np.rint(values * 65535).astype(np.uint16)
    return rounded
