"""The size of a picture without its pixels."""

import io
import os
from pathlib import Path

from kfsr.errors import InputError
from kfsr.image.read import (
    _DECODE_ERRORS,
    _OPENERS,
    DEFAULT_MAX_PIXELS,
    _check_size,
    _known_kind,
    _read_file,
)


def read_size(
    source: str | os.PathLike[str] | bytes, name: str | None = None, max_pixels: int | None = None
) -> tuple[int, int]:
    """Width and height as the file stores them, before it is turned upright; arguments as those of `read_image`.

    Raises the InputError that `read_image` would raise for what is missing, unreadable, no image or too large, or
    damaged in its header; damage further on shows only when the picture is read.
    """
    if isinstance(source, bytes):
        data, name = source, name or "image data"
    else:
        name = name or str(source)
        data = _read_file(Path(source), name)
    kind = _known_kind(data, name)
    try:
        size = _OPENERS[kind](io.BytesIO(data)).size
        _check_size(size, DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels, name)
    except _DECODE_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name}: damaged or incomplete {kind} file ({reason}); get a fresh copy of it") from error
    return size
