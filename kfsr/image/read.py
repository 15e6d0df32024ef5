"""Reading pictures: by content, upright, gray or RGB, with one clear line for what cannot be used."""

import io
import os
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
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
from PIL.Image import DecompressionBombError

from kfsr.errors import InputError
from kfsr.image import metadata, sniff
from kfsr.image.convert import is_sideways, to_gray_or_rgb, upright
from kfsr.image.deep import UnsupportedError, load_deep, open_deep
from kfsr.image.formats import readable_formats, why_unreadable
from kfsr.image.heic import decode_heic, heic_size
from kfsr.image.value import FloatArray, Image, unit_values
from kfsr.image.xmp import tidy_xmp

# Pillow's own alarm level for decompression bombs; its hard stop is at twice this.
DEFAULT_MAX_PIXELS = 89_478_485

# The decoders are called directly: PIL.Image.open would try formats we do not offer, take a photo with an
# embedded preview for an animation, and hold its own pixel limit against ours.
_OPENERS: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "GIF": GifImagePlugin.GifImageFile,
}

# What Pillow's decoders are known to raise on damaged data.
_DECODE_ERRORS = (*sniff.DAMAGE, RuntimeError, zlib.error, AttributeError, AssertionError, DecompressionBombError)

# The formats whose 16 bits are read.
_DEEP = frozenset({"PNG", "TIFF"})

# The formats whose decoder reads no more than a header before it knows the size.
_HEADED = frozenset({"PNG", "JPEG", "TIFF", "BMP", "GIF"})

# How long a file may be for the pixels that are allowed: twice what 16 bits, alpha and no compression take, and room
# for metadata and small further pages.
_BYTES_PER_PIXEL, _BYTES_BESIDE = 16, 64 * 2**20


def read_image(source: str | os.PathLike[str] | bytes, name: str | None = None, max_pixels: int | None = None) -> Image:
    """The picture in a file, or in `bytes` that hold a whole file; its format is told by its content.

    source      a path, or the file's bytes
    name        what messages call it; the path, or "image data", when not given
    max_pixels  the largest width * height that is decoded, by default 89 million; guards against small files
                that unpack to gigabytes

    The result is upright (EXIF orientation applied), gray or RGB, with alpha where the file has transparency, with
    depth 16 from PNG and TIFF of 16 bits and from HEIC of more than 8. Of an animation, or a TIFF of several pages,
    the first picture is taken, with a UserWarning that names it. Raises InputError, one line with the name, for what
    is missing, unreadable, not an image, damaged, too large or deeper than that.
    """
    limit = DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    data, name, kind, depth = _identified(source, name, limit)
    with _damage_in_words(name, kind, depth):
        if kind == "HEIC":
            return decode_heic(data, name, lambda size: _check_size(size, limit, name))
        opened = _opened(data, kind, depth)
        _check_size(opened.size, limit, name)
        frames = getattr(opened, "n_frames", 1)
        # Gone once the pixels are loaded, with which Pillow turns a TIFF upright, and nothing else.
        exif, turned = _tiff_metadata(opened) if kind == "TIFF" else (None, 1)
        if depth == 16:
            pixels, alpha = load_deep(opened, data)
        else:
            opened.load()
    if frames > 1:
        what = "pages" if kind == "TIFF" else "frames"
        warnings.warn(f"{name}: has {frames} {what}; only the first is used", UserWarning, stacklevel=2)
    profile = opened.info.get("icc_profile")
    if depth == 8:
        pixels, alpha, profile = _pixels(opened, data, kind, name)
    if kind != "TIFF":
        orientation, exif = metadata.split_exif(_raw_exif(opened))
        pixels, alpha = upright(pixels, orientation), None if alpha is None else upright(alpha, orientation)
        turned = orientation
    return Image(
        pixels,
        alpha,
        kind,
        exif,
        metadata.profile_for(profile, pixels.shape[2]),
        tidy_xmp(opened.info.get("xmp")),
        metadata.resolution(opened.info.get("dpi"), is_sideways(turned)),
        depth,
        _quantisation(opened),
    )


def read_size(
    source: str | os.PathLike[str] | bytes, name: str | None = None, max_pixels: int | None = None
) -> tuple[int, int]:
    """Width and height as the file stores them, before it is turned upright; arguments as those of `read_image`.

    Raises the InputError that `read_image` would for what is missing, unreadable, not an image, too large, too deep or
    damaged in its header; damage further on shows only when the picture is read.
    """
    limit = DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    data, name, kind, depth = _identified(source, name, limit)
    with _damage_in_words(name, kind, depth):
        size = heic_size(data) if kind == "HEIC" else _opened(data, kind, depth).size
        _check_size(size, limit, name)
        return size


def read_bytes(path: str | os.PathLike[str], name: str | None = None, max_pixels: int | None = None) -> bytes:
    """A picture's whole file, for callers that need the very bytes that `read_image` decodes, which takes them as its
    `source`; arguments as those of `read_image`.

    Raises the InputError that `read_image` would for what is missing, unreadable or not an image, and for what the
    header or the file's length shows to be too large, before the rest is read.
    """
    name, limit = name or str(path), DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    longest = _BYTES_PER_PIXEL * limit + _BYTES_BESIDE
    try:
        with Path(path).open("rb") as file:
            head = file.read(sniff.HEAD)
            kind = _known_kind(head, name)
            if os.fstat(file.fileno()).st_size > longest:
                raise InputError(f"{name}: the file is too long for {limit} pixels; convert it or raise the limit")
            if file.seekable():  # a pipe is not
                _check_header(file, kind, limit, name)
                head = b""
                file.seek(0)
            return head + file.read()
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such file; check the name") from error
    except IsADirectoryError as error:
        raise InputError(f"{name}: is a folder; give the name of an image file") from error
    except PermissionError as error:
        raise InputError(f"{name}: no permission to read it; change its permissions") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise InputError(f"{name}: cannot be read ({error}); check the name and the disk") from error


def _identified(source: str | os.PathLike[str] | bytes, name: str | None, limit: int) -> tuple[bytes, str, str, int]:
    """The file's bytes, its name for messages, its format and its depth, 8 or 16."""
    if isinstance(source, bytes):
        data, name = source, name or "image data"
    else:
        data, name = read_bytes(source, name, limit), name or str(source)
    kind = _known_kind(data, name)
    bits = sniff.bits(data, kind)
    if bits > 8 and not (bits == 16 and kind in _DEEP):
        raise InputError(_too_deep(name, f"{bits}-bit {kind}"))
    return data, name, kind, 16 if bits == 16 else 8


def _opened(data: bytes, kind: str, depth: int) -> ImageFile.ImageFile:
    return open_deep(data, kind) if depth == 16 else _OPENERS[kind](io.BytesIO(data))


@contextmanager
def _damage_in_words(name: str, kind: str, depth: int) -> Iterator[None]:
    try:
        yield
    except UnsupportedError as error:
        raise InputError(_too_deep(name, f"{depth}-bit {kind} with {error}")) from error
    except _DECODE_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name}: damaged or incomplete {kind} file ({reason}); get a fresh copy of it") from error


def _check_header(file: BinaryIO, kind: str, limit: int, name: str) -> None:
    """Refuse what the header shows to be too large; of its damage the decoder will say more."""
    if kind not in _HEADED:
        return
    file.seek(0)
    with warnings.catch_warnings(), suppress(*_DECODE_ERRORS):
        warnings.simplefilter("ignore")
        _check_size(_OPENERS[kind](file).size, limit, name)


def _known_kind(data: bytes, name: str) -> str:
    if not data:
        raise InputError(f"{name}: the file is empty; get a fresh copy of it")
    kind = sniff.format_of(data[: sniff.HEAD])
    if kind is None:
        known = ", ".join(readable_formats())
        raise InputError(f"{name}: not an image that can be read; convert it to one of {known}")
    if reason := why_unreadable(kind):
        raise InputError(f"{name}: {reason}")
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
        f"{name}: {what} is not supported; convert it to a PNG of 16 bits or 8,"
        " for example with ImageMagick: magick IN -depth 16 OUT.png"
    )


def _tiff_metadata(opened: ImageFile.ImageFile) -> tuple[bytes | None, int]:
    """(EXIF without orientation, orientation) of a TIFF that is not loaded yet."""
    orientation = opened.getexif().get(metadata.ORIENTATION, 1)
    return metadata.tiff_exif(opened), orientation if isinstance(orientation, int) else 1


def _pixels(
    image: ImageFile.ImageFile, data: bytes, kind: str, name: str
) -> tuple[FloatArray, FloatArray | None, bytes | None]:
    """The loaded 8-bit picture as pixels (H, W, C), alpha (H, W) and the profile that holds for them."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        raise InputError(_too_deep(name, f"deeper {kind}"))
    try:
        picture, profile = to_gray_or_rgb(image, image.info.get("icc_profile"), name)
    except ValueError as error:
        raise InputError(
            f"{name}: colour mode {image.mode} is not supported; convert the picture to RGB or gray"
        ) from error
    if kind == "AVIF" and sniff.avif_is_gray(data):
        picture = _without_colour(picture)
    values = np.asarray(picture)
    if values.ndim == 2:
        return unit_values(values[..., None]), None, profile
    if picture.mode in ("LA", "RGBA"):
        return unit_values(values[..., :-1]), unit_values(values[..., -1]), profile
    return unit_values(values), None, profile


def _quantisation(opened: ImageFile.ImageFile) -> float:
    """`Image.quantisation` of a file."""
    tables = getattr(opened, "quantization", None)
    return sum(sorted(tables[0])[:20]) / 20 if tables and 0 in tables else 0.0


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
