"""Writing pictures: rounded to 8 or 16 bits, or in the kind of values they came in, with their metadata, whole or not
at all."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image

from kfsr.errors import OutputError, UsageError
from kfsr.files import write_bytes
from kfsr.image import jpeg, metadata, png
from kfsr.image.encoding import ENCODE_ERRORS, explained, to_8_bits, to_16_bits, warn
from kfsr.image.formats import Format, format_by_name, format_by_suffix
from kfsr.image.holding import profile_for_target, what_is_lost
from kfsr.image.profiles import is_srgb_profile, to_srgb
from kfsr.image.tiff_pages import encode_tiff
from kfsr.image.value import Image

QUALITY = 95
"""Of JPEG and AVIF where none is asked for."""

_XMP_PREFIX = len(b"http://ns.adobe.com/xap/1.0/\0")
_LEVEL = 4  # zlib's usual level takes twice as long for a file that is 1.5 per cent smaller


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

    Values are rounded to the picture's depth, and to 8 bits with a UserWarning where the format has no 16. Floats and
    other values with a `sample` stay what they are in TIFF, and become 16 or 8 bits with a warning elsewhere. What
    travels with the picture goes in where the format holds it; one warning names what it does not hold. `quality`
    (1..100, None: 95) is for JPEG and AVIF, both with colour at full resolution. WebP is written without loss where it
    is None, since its lossy form halves the resolution of colour; PNG, TIFF and BMP always are. JPEG and BMP have no
    transparency: what is not opaque is laid on white, with a UserWarning. WebP has no gray: a gray picture is written
    as RGB there. BMP has no profile: the values become sRGB's.
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
    if target.name == "TIFF":
        return encode_tiff(image, prefix)
    if image.sample is not None:
        kind, low, high = image.sample.kind, image.sample.low, image.sample.high
        warn(f"{prefix}{target.name} has no {kind} values; black is {low:.6g} there, white {high:.6g}; write .tif")
    elif image.depth == 16 and not target.deep:
        warn(f"{prefix}{target.name} has no 16 bits; written with 8")
    if lost := what_is_lost(image, target):
        warn(f"{prefix}{target.name} cannot hold {', '.join(lost)}; left out")
    profile, said = profile_for_target(image, target)
    if said:
        warn(f"{prefix}{said}")
    if target.name == "PNG":
        return _png(image, metadata.profile_for(profile, image.channels), prefix)
    picture, profile = _to_pillow(image, target, metadata.profile_for(profile, image.channels), prefix)
    options: dict[str, Any] = _options(target, quality)
    if target.dpi and image.dpi is not None:
        options["dpi"] = image.dpi
    if not target.metadata:
        return _save(picture, target, options, prefix)
    if profile is not None:
        options["icc_profile"] = profile
    exif = image.exif if target.dpi else metadata.with_resolution(image.exif, image.dpi)
    exif = _fitting(exif, "EXIF", jpeg.SEGMENT, target, prefix)
    xmp = _fitting(image.xmp, "XMP", jpeg.SEGMENT - _XMP_PREFIX, target, prefix)
    options |= {} if xmp is None else {"xmp": xmp}
    data = _save_with_exif(picture, target, options, exif, prefix)
    return _with_segments(data, image, prefix) if target.name == "JPEG" else data


def _options(target: Format, quality: int | None) -> dict[str, Any]:
    match target.name:
        case "JPEG" | "AVIF":
            return {"quality": quality or QUALITY, "subsampling": "4:4:4"}
        case "WEBP":  # exact: keep colours under transparent pixels
            return {"lossless": True, "exact": True} if quality is None else {"quality": quality, "exact": True}
        case _:
            return {}


def _fitting(block: bytes | None, name: str, room: int, target: Format, prefix: str) -> bytes | None:
    if target.name == "JPEG" and block is not None and len(block) > room:
        warn(f"{prefix}{name} is too large for JPEG and is left out")
        return None
    return block


def _with_segments(data: bytes, image: Image, prefix: str) -> bytes:
    """A JPEG with the comments and IPTC of `image`."""
    extras = image.extras
    blocks = [(0xFE, one) for one in extras.comments]
    if extras.iptc is not None:
        blocks.append((0xED, jpeg.PHOTOSHOP + jpeg.resources_of(extras.iptc)))
    if too_large := [marker for marker, content in blocks if len(content) > jpeg.SEGMENT]:
        names = " and ".join("IPTC" if marker == 0xED else "the comment" for marker in dict.fromkeys(too_large))
        warn(f"{prefix}JPEG has no room for {names}; left out")
    return jpeg.with_segments(data, [one for one in blocks if len(one[1]) <= jpeg.SEGMENT])


def _save_with_exif(
    picture: PIL.Image.Image, target: Format, options: dict[str, Any], exif: bytes | None, prefix: str
) -> bytes:
    if exif is None:
        return _save(picture, target, options, prefix)
    try:
        return _saved(picture, target, {**options, "exif": exif})
    except ENCODE_ERRORS:
        # Damaged EXIF is the likely cause; without it the reason below is the real one.
        data = _save(picture, target, options, prefix)
        warn(f"{prefix}EXIF cannot be stored and is left out")
        return data


def _saved(picture: PIL.Image.Image, target: Format, options: dict[str, Any]) -> bytes:
    if target.name == "AVIF" and picture.mode in ("L", "LA"):
        options = {**options, "subsampling": "4:0:0"}
    buffer = io.BytesIO()
    picture.save(buffer, target.name, **options)
    return buffer.getvalue()


def _save(picture: PIL.Image.Image, target: Format, options: dict[str, Any], prefix: str) -> bytes:
    with explained(target.name, prefix):
        return _saved(picture, target, options)


def _png(image: Image, profile: bytes | None, prefix: str) -> bytes:
    extras = image.extras
    chunks = [png.chunk(kind, content) for kind, content in extras.colour]
    if profile is not None:
        chunks.append(png.chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile)))
    if image.dpi is not None:
        chunks.append(png.chunk(b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in image.dpi), 1)))
    if image.exif is not None:
        chunks.append(png.chunk(b"eXIf", image.exif.removeprefix(b"Exif\0\0")))
    if image.xmp is not None:
        chunks.append(png.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + image.xmp))
    if extras.iptc is not None:
        chunks.append(png.raw_profile_chunk(b"iptc", jpeg.resources_of(extras.iptc)))
    chunks += [png.text_chunk(b"Comment", one) for one in extras.comments]
    chunks += [png.chunk(kind, content) for kind, content in extras.texts]
    with explained("PNG", prefix):
        if image.depth == 16:
            import imagecodecs

            deep = to_16_bits(_with_alpha(image))
            pixels = imagecodecs.png_encode(deep[..., 0] if deep.shape[2] == 1 else deep, level=_LEVEL)
        else:
            values = to_8_bits(_with_alpha(image))
            picture = PIL.Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
            buffer = io.BytesIO()
            picture.save(buffer, "PNG", compress_level=_LEVEL)
            pixels = buffer.getvalue()
        return png.with_chunks(bytes(pixels), chunks)


def _to_pillow(
    image: Image, target: Format, profile: bytes | None, prefix: str
) -> tuple[PIL.Image.Image, bytes | None]:
    """The picture in a mode that `target` holds, and the profile that goes with it."""
    pixels, alpha = image.pixels, image.alpha
    if alpha is not None and not target.alpha:
        if float(alpha.min()) < 1:
            warn(f"{prefix}{target.name} has no transparency; the picture is laid on white")
        pixels, alpha = pixels * alpha[..., None] + (1 - alpha[..., None]), None
    values = to_8_bits(pixels)
    picture = PIL.Image.fromarray(values[..., 0] if image.channels == 1 else values)
    homeless = not target.metadata and profile is not None and not is_srgb_profile(profile)
    if homeless or (image.channels == 1 and not target.gray):
        converted = to_srgb(picture, profile) if profile is not None else None
        if homeless and converted is None:
            warn(f"{prefix}{target.name} cannot hold its colour profile; the colours may look different")
        picture, profile = converted or (picture if target.gray else picture.convert("RGB")), None
    if alpha is not None:
        picture.putalpha(PIL.Image.fromarray(to_8_bits(alpha)))
    return picture, profile


def _with_alpha(image: Image) -> npt.NDArray[np.float32]:
    """(H, W, C), alpha being the last channel where there is one."""
    return image.pixels if image.alpha is None else np.dstack([image.pixels, image.alpha])
