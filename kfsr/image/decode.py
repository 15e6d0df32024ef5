"""The decoders: one whole file of a known format to an upright picture with what travels beside its pixels."""

import io
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO

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
    WebPImagePlugin,
)

from kfsr.errors import InputError
from kfsr.image import deep_png, iso, jpeg, metadata, older, png
from kfsr.image.convert import is_sideways, to_gray_or_rgb, upright
from kfsr.image.errors import UnsupportedError
from kfsr.image.extras import Extras
from kfsr.image.profiles import ADOBE_RGB, coded
from kfsr.image.value import FloatArray, Image, unit_values
from kfsr.image.xmp import announced, tidy_xmp

# The decoders are called directly: PIL.Image.open would try formats we do not offer, take a photo with an
# embedded preview for an animation, and hold its own pixel limit against ours.
OPENERS: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "GIF": GifImagePlugin.GifImageFile,
}

_MOST_MISSING = 1 / 8
_BLOCK = 16
"""Rows of a JPEG that are coded together at most."""


@dataclass(frozen=True)
class Asked:
    """How a file is to be read. name: for messages. check_size: called with width and height before anything is
    decoded. frame: of an animation, from 0 on; None takes the first and warns. slight: called with what is wrong with
    the file and does not touch its picture; it may raise."""

    name: str
    check_size: Callable[[tuple[int, int]], None]
    frame: int | None
    slight: Callable[[str], None]


def decode(data: bytes, kind: str, asked: Asked) -> Image:
    """The picture in a file of Pillow's format `kind`. Raises UnsupportedError for a sound file that is not read, and
    what the libraries raise for a damaged one."""
    match kind:
        case "PNG":
            return _png(data, asked)
        case "JPEG":
            return _jpeg(data, asked)
        case "AVIF":
            return _avif(data, asked)
        case "GIF":
            profile, packet = older.of_gif(data)
            return _pillow(data, kind, asked, icc_profile=profile, xmp=packet)
        case "BMP":
            return _pillow(data, kind, asked, icc_profile=older.of_bmp(data))
        case _:
            return _pillow(data, kind, asked)


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height by a PNG's header. Raises DamagedError where there is none."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise png.DamagedError("no header")
    width, height = struct.unpack_from(">II", data, 16)
    if not (0 < width < 2**31 and 0 < height < 2**31):
        raise png.DamagedError(f"{width} x {height} pixels")
    return width, height


def warn_of_frames(count: int, name: str, what: str = "frames") -> None:
    """Where only the first of several is used."""
    if count > 1:
        warnings.warn(f"{name}: has {count} {what}; only the first is used", UserWarning, stacklevel=2)


def no_such_page(asked: Asked, count: int, what: str, only: str = "") -> InputError:
    """For a page that is asked for and cannot be given. only: which one of the `count` is read at all, in a word."""
    has = f"{asked.name}: has {count} {what}{'s'[: count != 1]}"
    if only and count > 1:
        return InputError(f"{has}, of which only the {only} one can be read; leave --page out")
    return InputError(f"{has}, there is no page {(asked.frame or 0) + 1}; leave --page out or give another")


def warn_of_lost(parts: list[str], name: str) -> None:
    """Where a file holds more than one picture can: its gain map, its film."""
    if parts:
        warnings.warn(f"{name}: its {' and '.join(dict.fromkeys(parts))} cannot be kept", UserWarning, stacklevel=2)


def _png(data: bytes, asked: Asked) -> Image:
    asked.check_size(png_size(data))
    parts = png.take_apart(data)
    if parts.slight:
        asked.slight(", ".join(parts.slight[:4]))
    if asked.frame:
        raise no_such_page(asked, parts.frames, "frame", "first")
    if asked.frame is None:
        warn_of_frames(parts.frames, asked.name)
    profile = parts.icc_profile
    depth = 16 if data[24] == 16 else 8
    if depth == 16:
        pixels, alpha = _deep_png(parts)
    else:
        opened = PngImagePlugin.PngImageFile(io.BytesIO(parts.pixels))
        opened.load()
        pixels, alpha, profile = _values(opened, parts.icc_profile, asked.name)
    turn, exif = metadata.split_exif(parts.exif)
    per_metre = parts.pixels_per_metre
    extras = Extras(tuple(parts.colour), tuple(parts.texts), iptc=jpeg.iptc_of(parts.iptc or b""))
    made = _upright(pixels, alpha, turn)
    warn_of_lost(announced(parts.xmp), asked.name)
    return Image(
        *made,
        "PNG",
        exif,
        metadata.profile_for(profile, pixels.shape[2]),
        tidy_xmp(parts.xmp),
        metadata.resolution(per_metre and [value * 0.0254 for value in per_metre], is_sideways(turn)),
        depth,
        extras=extras,
    )


def _deep_png(parts: png.Parts) -> tuple[FloatArray, FloatArray | None]:
    values = deep_png.decode(parts.pixels)
    if values.shape[2] in (2, 4):
        return unit_values(values[..., :-1]), unit_values(values[..., -1])
    if parts.transparency is None:
        return unit_values(values), None
    colour = np.frombuffer(parts.transparency[: 2 * values.shape[2]], ">u2")
    if len(colour) != values.shape[2]:
        raise ValueError("a transparent colour of another kind")
    return unit_values(values), (values != colour).any(axis=2).astype(np.float32)


def _jpeg(data: bytes, asked: Asked) -> Image:
    parts = jpeg.take_apart(data)
    if not parts.ends:
        data = data.removesuffix(jpeg.END[:1])
        opened = JpegImagePlugin.JpegImageFile(io.BytesIO(data + jpeg.END))
        asked.check_size(opened.size)
        missing = jpeg.incomplete_rows(data, _jpeg_values)
        if missing > min(_BLOCK, _MOST_MISSING * opened.height) + 1:  # the row above borrows colour
            raise ValueError(f"it ends {missing} of {opened.height} rows too early")
        asked.slight(f"it lacks its end and something of its last {missing} rows" if missing else "it lacks its end")
        data += jpeg.END
    made = _pillow(data, "JPEG", asked, lost=parts.lost)
    is_adobe = made.icc_profile is None and made.channels == 3 and metadata.is_adobe_rgb(made.exif)
    colour = ADOBE_RGB if is_adobe else ()
    return replace(made, extras=Extras(colour, comments=tuple(parts.comments), iptc=parts.iptc))


def _jpeg_values(data: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(JpegImagePlugin.JpegImageFile(io.BytesIO(data)))


def _avif(data: bytes, asked: Asked) -> Image:
    about = iso.properties(data)
    lost = ["gain map"] if about.gain_map else []
    made = _pillow(data, "AVIF", asked, lost=lost, bits=about.bits)
    if about.gray and made.channels == 3:
        made = replace(made, pixels=np.ascontiguousarray(made.pixels[..., :1]), icc_profile=None)
    if about.colours is not None and made.icc_profile is None:
        made = replace(made, extras=Extras(colour=coded(*about.colours)))
    return made


def _pillow(
    data: bytes,
    kind: str,
    asked: Asked,
    lost: list[str] | None = None,
    bits: int = 8,
    icc_profile: bytes | None = None,
    xmp: bytes | None = None,
) -> Image:
    """lost: what the file holds beside this picture. bits: of an AVIF. icc_profile, xmp: those that Pillow does not
    find."""
    opened = OPENERS[kind](io.BytesIO(data))
    asked.check_size(opened.size)
    frames = getattr(opened, "n_frames", 1)
    if asked.frame is None:
        warn_of_frames(frames, asked.name)
    elif asked.frame:
        if asked.frame >= frames:
            raise no_such_page(asked, frames, "frame")
        opened.seek(asked.frame)
    xmp = opened.info.get("xmp") or xmp
    icc_profile = opened.info.get("icc_profile") or icc_profile
    if bits > 8:
        pixels, alpha = _deep_avif(data, opened, asked.frame or 0, bits)
        profile = icc_profile
    else:
        opened.load()
        pixels, alpha, profile = _values(opened, icc_profile, asked.name)
    turn, exif = metadata.split_exif(_raw_exif(opened))
    comment = opened.info.get("comment")
    warn_of_lost([*(lost or ()), *announced(xmp)], asked.name)
    dpi = opened.info.get("dpi") or (metadata.exif_resolution(exif) if kind in ("WEBP", "AVIF") else None)
    return Image(
        *_upright(pixels, alpha, turn),
        kind,
        exif,
        metadata.profile_for(profile, pixels.shape[2]),
        tidy_xmp(xmp),
        metadata.resolution(dpi, is_sideways(turn)),
        16 if bits > 8 else 8,
        _quantisation(opened),
        extras=Extras(comments=(comment,) if isinstance(comment, bytes) and comment else ()),
    )


def _deep_avif(data: bytes, opened: ImageFile.ImageFile, frame: int, bits: int) -> tuple[FloatArray, FloatArray | None]:
    import imagecodecs

    values = imagecodecs.avif_decode(data, index=frame)
    values = values[..., None] if values.ndim == 2 else values
    if values.shape[:2] != (opened.height, opened.width) or values.dtype != np.uint16:
        raise UnsupportedError("a clipping or a kind of values that is not read")
    scaled = np.minimum(values.astype(np.float32) / np.float32(2**bits - 1), 1)
    if values.shape[2] in (2, 4):
        return np.ascontiguousarray(scaled[..., :-1]), np.ascontiguousarray(scaled[..., -1])
    return scaled, None


def _values(
    image: ImageFile.ImageFile, icc_profile: bytes | None, name: str
) -> tuple[FloatArray, FloatArray | None, bytes | None]:
    """The loaded 8-bit picture as pixels (H, W, C), alpha (H, W) and the profile that holds for them."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        raise UnsupportedError("more than 8 bits")
    try:
        picture, profile = to_gray_or_rgb(image, icc_profile, name)
    except ValueError as error:
        raise UnsupportedError(f"colour mode {image.mode}") from error
    values = np.asarray(picture)
    if values.ndim == 2:
        return unit_values(values[..., None]), None, profile
    if picture.mode in ("LA", "RGBA"):
        return unit_values(values[..., :-1]), unit_values(values[..., -1]), profile
    return unit_values(values), None, profile


def _upright(pixels: FloatArray, alpha: FloatArray | None, turn: int) -> tuple[FloatArray, FloatArray | None]:
    return upright(pixels, turn), None if alpha is None else upright(alpha, turn)


def _quantisation(opened: ImageFile.ImageFile) -> float:
    """`Image.quantisation` of a file."""
    tables = getattr(opened, "quantization", None)
    return sum(sorted(tables[0])[:20]) / 20 if tables and 0 in tables else 0.0


def _raw_exif(image: PIL.Image.Image) -> bytes | None:
    raw = image.info.get("exif")
    return raw if isinstance(raw, bytes) else None
