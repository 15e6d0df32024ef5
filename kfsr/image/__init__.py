"""Pictures: the Image value, reading, writing, brightness. The only package that knows Pillow."""

from kfsr.files import remove_stale, write_bytes
from kfsr.image.colour import luma
from kfsr.image.formats import (
    format_by_name,
    format_by_suffix,
    known_suffixes,
    looks_like_picture,
    readable_formats,
    supported_formats,
)
from kfsr.image.read import read_bytes, read_image, read_size
from kfsr.image.resample import lanczos, shrunk
from kfsr.image.value import Image, unpremultiply
from kfsr.image.write import encode_image, write_image

__all__ = [
    "Image",
    "encode_image",
    "format_by_name",
    "format_by_suffix",
    "known_suffixes",
    "lanczos",
    "looks_like_picture",
    "luma",
    "read_bytes",
    "read_image",
    "read_size",
    "readable_formats",
    "remove_stale",
    "shrunk",
    "supported_formats",
    "unpremultiply",
    "write_bytes",
    "write_image",
]
