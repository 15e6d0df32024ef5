"""Reading pictures: by content, upright, 8 bits, gray or RGB, with one clear line for what cannot be used."""

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from kfsr.errors import InputError, UsageError
from kfsr.image import metadata, sniff
from kfsr.image.convert import to_gray_or_rgb
from kfsr.image.formats import format_by_name, supported_formats
from kfsr.image.value import Image

# Pillow's own alarm level for decompression bombs; its hard stop is at twice this.
DEFAULT_MAX_PIXELS = 89_478_485

# The decoders are called directly: PIL.Image.open would try formats we do not offer, take a photo with an
# embedded preview for an animation, and hold its own pixel limit against ours.
_OPENERS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "GIF": GifImagePlugin.GifImageFile,
}

# What Pillow's decoders are known to raise on damaged data.
_DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    AssertionError,
    PIL.Image.DecompressionBombError,
)

_TRANSPOSES = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}


def read_image(source: str | os.PathLike[str] | bytes, name: str | None = None, max_pixels: int | None = None) -> Image:
    """The picture in a file, or in `bytes` that hold a whole file; its format is told by its content.

    source      a path, or the file's bytes
    name        what messages call it; the path, or "image data", when not given
    max_pixels  the largest width * height that is decoded, by default 89 million; guards against small files
                that unpack to gigabytes

    The result is upright (EXIF orientation applied), gray or RGB, with alpha where the file has transparency.
    Of an animation, or a TIFF of several pages, the first picture is taken, with a UserWarning that names it.
    Raises InputError, one line with the name, for what is missing, unreadable, no image, damaged, too large
    or deeper than 8 bits.
    """
    if isinstance(source, bytes):
        data, name = source, name or "image data"
    else:
        name = name or str(source)
        data = _read_file(Path(source), name)
    kind = _known_kind(data, name)
    limit = DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    depth = sniff.bits(data, kind)
    if depth > 8:
        raise InputError(_too_deep(name, f"{depth}-bit"))
    try:
        opened = _OPENERS[kind](io.BytesIO(data))
        _check_size(opened.size, limit, name)
        frames = getattr(opened, "n_frames", 1)
        exif = metadata.tiff_exif(opened) if kind == "TIFF" else None  # gone once the pixels are loaded
        opened.load()
    except _DECODE_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name}: damaged or incomplete {kind} file ({reason}); get a fresh copy of it") from error
    if frames > 1:
        what = "pages" if kind == "TIFF" else "frames"
        warnings.warn(f"{name}: has {frames} {what}; only the first is used", UserWarning, stacklevel=2)
    return _to_image(opened, data, kind, exif, name)


def _read_file(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(sniff.HEAD)
            if not head or sniff.format_of(head) is None:
                return head  # enough for the message; the file may be huge
            return head + file.read()
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such file; check the name") from error
    except IsADirectoryError as error:
        raise InputError(f"{name}: is a folder; give the name of an image file") from error
    except PermissionError as error:
        raise InputError(f"{name}: no permission to read it; change its permissions") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise InputError(f"{name}: cannot be read ({error}); check the name and the disk") from error


def _known_kind(data: bytes, name: str) -> str:
    if not data:
        raise InputError(f"{name}: the file is empty; get a fresh copy of it")
    kind = sniff.format_of(data[: sniff.HEAD])
    if kind is None:
        known = ", ".join(supported_formats())
        raise InputError(f"{name}: not an image that can be read; convert it to one of {known}")
    try:
        format_by_name(kind, writing=False)
    except UsageError as error:  # known, but its codec is missing here
        raise InputError(f"{name}: {error}") from error
    return kind


def _check_size(size: tuple[int, int], limit: int, name: str) -> None:
    width, height = size
    if width * height > limit:
        raise InputError(
            f"{name}: {width} x {height} pixels are more than the limit of {limit};"
            " make the picture smaller or raise the limit"
        )


def _too_deep(name: str, what: str) -> str:
    return (
        f"{name}: {what} pictures are not supported yet; convert it to 8 bits first,"
        " for example with ImageMagick: magick IN -depth 8 OUT"
    )


def _to_image(image: ImageFile.ImageFile, data: bytes, kind: str, exif: bytes | None, name: str) -> Image:
    """The loaded picture as our value. `exif` is that of a TIFF; the other formats' is taken from `image`."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        raise InputError(_too_deep(name, "16-bit and deeper"))
    orientation = 1  # Pillow turns TIFF upright while loading, and nothing else
    if kind != "TIFF":
        orientation, exif = metadata.split_exif(_raw_exif(image))
    try:
        picture, profile = to_gray_or_rgb(image, image.info.get("icc_profile"), name)
    except ValueError as error:
        raise InputError(
            f"{name}: colour mode {image.mode} is not supported; convert the picture to RGB or gray"
        ) from error
    if kind == "AVIF" and sniff.avif_is_gray(data):
        picture = _without_colour(picture)
    if orientation in _TRANSPOSES:
        picture = picture.transpose(_TRANSPOSES[orientation])

    values = _as_array(picture)
    has_alpha = picture.mode in ("LA", "RGBA")
    pixels = np.ascontiguousarray(values[..., :-1]) if has_alpha else values
    alpha = np.ascontiguousarray(values[..., -1]) if has_alpha else None
    return Image(pixels, alpha, kind, exif, metadata.profile_for(profile, pixels.shape[2]))


def _raw_exif(image: ImageFile.ImageFile) -> bytes | None:
    raw = image.info.get("exif")
    if isinstance(raw, bytes):
        return raw
    text = image.info.get("Raw profile type exif")
    return metadata.png_text_exif(text) if isinstance(text, str) else None


def _without_colour(picture: PIL.Image.Image) -> PIL.Image.Image:
    gray = picture.getchannel(0)
    if picture.mode != "RGBA":
        return gray
    return PIL.Image.merge("LA", (gray, picture.getchannel("A")))


def _as_array(picture: PIL.Image.Image) -> npt.NDArray[np.float32]:
    """(H, W, C) float32 in [0, 1] of an L, LA, RGB or RGBA picture."""
    values = np.asarray(picture, dtype=np.float32) / np.float32(255)
    return values if values.ndim == 3 else values[..., None]
