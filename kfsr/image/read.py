"""Reading pictures: by content, upright, gray or RGB, with one clear line for what cannot be used."""

import io
import os
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL.Image import DecompressionBombError

from kfsr.errors import InputError
from kfsr.image import raw, sniff, strangers
from kfsr.image.decode import OPENERS, Asked, decode, no_such_page, png_size, warn_of_frames
from kfsr.image.errors import UnsupportedError
from kfsr.image.formats import readable_formats, why_unreadable
from kfsr.image.heic import decode_heic, heic_size
from kfsr.image.png import DamagedError
from kfsr.image.tiff import Tiff, one_page_of, open_quietly, size_of
from kfsr.image.value import Image

# Pillow's own alarm level for decompression bombs; its hard stop is at twice this.
DEFAULT_MAX_PIXELS = 89_478_485

# What the decoders are known to raise on damaged data.
_DECODE_ERRORS = (
    *(*sniff.DAMAGE, RuntimeError, zlib.error, AttributeError, AssertionError, DecompressionBombError, DamagedError),
)

# The formats whose decoder reads no more than a header before it knows the size.
_HEADED = frozenset({"PNG", "JPEG", "TIFF", "BMP", "GIF"})

# How long a file may be for the pixels that are allowed: twice what 16 bits, alpha and no compression take, and room
# for metadata and small further pages.
_BYTES_PER_PIXEL, _BYTES_BESIDE = 16, 64 * 2**20

_LONGEST_REASON = 100

STRICT = "slightly damaged"


@dataclass(frozen=True)
class Pages:
    """The pages of a file, from the first on, each decoded when it is asked for. name: for messages. count: of them; 1
    for every format but TIFF."""

    name: str
    count: int
    read: Callable[[int], Image]

    def first(self) -> Image:
        """The first page as a picture of its own, with a UserWarning where it is not the only one."""
        warn_of_frames(self.count, self.name, "pages")
        image = self.read(0)
        return one_page_of(image) if self.count > 1 else image

    def __iter__(self) -> Iterator[Image]:
        return map(self.read, range(self.count))


def read_image(
    source: str | os.PathLike[str] | bytes,
    name: str | None = None,
    max_pixels: int | None = None,
    *,
    page: int | None = None,
    strict: bool = False,
) -> Image:
    """The picture in a file, or in `bytes` that hold a whole file; its format is told by its content.

    source      a path, or the file's bytes
    name        what messages call it; the path, or "image data", when not given
    max_pixels  the largest width * height that is decoded, by default 89 million; guards against small files
                that unpack to gigabytes
    page        of a TIFF, or frame of an animation, from 1 on; None takes the first, with a UserWarning that names the
                others. Reduced pages and previews do not count
    strict      refuse files with slight damage, which else are read with a UserWarning: a checksum that is wrong beside
                the pixels, a JPEG without its end

    The result is upright (EXIF orientation applied), gray or RGB, with alpha where the file has transparency, with
    depth 16 where the file has more than 8 bits. Raises InputError, one line with the name, for what is missing,
    unreadable, not an image, a camera raw, damaged, too large or of a kind that is not read.
    """
    return read_pages(source, name, max_pixels, page=page, strict=strict).first()


def read_pages(
    source: str | os.PathLike[str] | bytes,
    name: str | None = None,
    max_pixels: int | None = None,
    *,
    page: int | None = None,
    strict: bool = False,
) -> Pages:
    """All pages of a file; arguments and errors as those of `read_image`, which may also come when a page is read.

    A page holds its own pixels and metadata. With `page` only that one is there.
    """
    limit = DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    data, name, kind = _identified(source, name, limit)
    asked = Asked(
        name,
        lambda size: _check_size(size, limit, name),
        None if page is None else page - 1,
        lambda reason: _say_slight(reason, name, strict),
    )
    if page is not None and page < 1:
        raise InputError(f"{name}: pages count from 1, there is no page {page}")
    if kind != "TIFF":

        def read(number: int) -> Image:
            with _damage_in_words(name, kind):
                if kind != "HEIC":
                    return decode(data, kind, asked)
                return decode_heic(data, asked)

        return Pages(name, 1, read)
    with _damage_in_words(name, kind):
        file = Tiff(data)
        count = len(file.pages)
        if file.slight:
            asked.slight(file.slight)

    def read_page(number: int, alone: bool = False) -> Image:
        said = name if count == 1 else f"{name}: page {number + 1}"
        with _damage_in_words(said, kind):
            return file.image(number, said, lambda size: _check_size(size, limit, said), alone=alone)

    if page is None:
        return Pages(name, count, read_page)
    if page > count:
        raise no_such_page(asked, count, "page")
    chosen = page - 1
    return Pages(name, 1, lambda number: read_page(chosen, alone=True))


def read_size(
    source: str | os.PathLike[str] | bytes, name: str | None = None, max_pixels: int | None = None
) -> tuple[int, int]:
    """Width and height as the file stores them, before it is turned upright; arguments as those of `read_image`.

    Raises the InputError that `read_image` would for what is missing, unreadable, not an image, too large or damaged
    in its header; damage further on shows only when the picture is read.
    """
    limit = DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    data, name, kind = _identified(source, name, limit)
    with _damage_in_words(name, kind):
        size = _size(data, kind)
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
        reason = getattr(error, "strerror", None) or error  # the error itself names the file once more
        raise InputError(f"{name}: cannot be read ({reason}); check the name and the disk") from error


def _named(source: str | os.PathLike[str] | bytes, name: str | None) -> str:
    return name or ("image data" if isinstance(source, bytes) else str(source))


def _identified(source: str | os.PathLike[str] | bytes, name: str | None, limit: int) -> tuple[bytes, str, str]:
    """The file's bytes, its name for messages and its format."""
    name = _named(source, name)
    data = source if isinstance(source, bytes) else read_bytes(source, name, limit)
    kind = _known_kind(data, name)
    if kind == "TIFF" and (found := raw.raw_by_directories(data)):
        raise InputError(f"{name}: {raw.refusal(found)}")
    if what := sniff.not_read(data, kind):
        raise InputError(_not_read(name, what))
    return data, name, kind


def _size(data: bytes, kind: str) -> tuple[int, int]:
    match kind:
        case "HEIC":
            return heic_size(data)
        case "TIFF":
            return Tiff(data).size()
        case "PNG":
            return png_size(data)
        case _:
            return OPENERS[kind](io.BytesIO(data)).size


@contextmanager
def _damage_in_words(name: str, kind: str) -> Iterator[None]:
    try:
        yield
    except UnsupportedError as error:
        raise InputError(_not_read(name, f"{kind} with {error}")) from error
    except _DECODE_ERRORS as error:
        reason = " ".join(str(error).split())[:_LONGEST_REASON] or type(error).__name__
        raise InputError(f"{name}: damaged or incomplete {kind} file ({reason}); get a fresh copy of it") from error


def _say_slight(reason: str, name: str, strict: bool) -> None:
    if strict:
        raise InputError(f"{name}: {STRICT} ({reason}), which --strict refuses; get a fresh copy or leave --strict out")
    warnings.warn(f"{name}: {STRICT} ({reason}); the picture is read all the same", UserWarning, stacklevel=2)


def _check_header(file: BinaryIO, kind: str, limit: int, name: str) -> None:
    """Refuse what the header shows to be too large; of its damage the decoder will say more."""
    if kind not in _HEADED:
        return
    file.seek(0)
    with warnings.catch_warnings(), suppress(*_DECODE_ERRORS):
        warnings.simplefilter("ignore")
        if kind == "TIFF":
            _check_size(size_of(open_quietly(file).pages.first.aspage()), limit, name)
        else:
            _check_size(png_size(file.read(sniff.HEAD)) if kind == "PNG" else OPENERS[kind](file).size, limit, name)


def _known_kind(data: bytes, name: str) -> str:
    if not data:
        raise InputError(f"{name}: the file is empty; get a fresh copy of it")
    if found := raw.raw_by_signature(data[: sniff.HEAD]):
        raise InputError(f"{name}: {raw.refusal(found)}")
    kind = sniff.format_of(data[: sniff.HEAD])
    if kind is None:
        known = ", ".join(readable_formats())
        what = strangers.what_it_is(data[: sniff.HEAD]) or "not an image that can be read"
        raise InputError(f"{name}: {what}" + ("" if ";" in what else f"; convert it to one of {known}"))
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


def _not_read(name: str, what: str) -> str:
    return (
        f"{name}: {what} is not supported; convert it to a PNG of 16 bits or 8,"
        " for example with ImageMagick: magick IN -depth 16 OUT.png"
    )
