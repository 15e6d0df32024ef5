"""Reading HEIC with pillow-heif, which is imported when there is such a file and not before."""

import warnings

import numpy as np

from kfsr.image import iso, metadata
from kfsr.image.decode import Asked, no_such_page, warn_of_lost
from kfsr.image.extras import Extras
from kfsr.image.profiles import coded
from kfsr.image.value import Image, unit_values, unpremultiply
from kfsr.image.xmp import announced, tidy_xmp


def heic_size(data: bytes) -> tuple[int, int]:
    """Width and height of the main picture; raises as `decode_heic`."""
    import pillow_heif

    width, height = pillow_heif.open_heif(data).size
    return int(width), int(height)


def decode_heic(data: bytes, asked: Asked) -> Image:
    """The main picture of a HEIC file; more than 8 bits give depth 16.

    Raises what pillow-heif raises for damaged files, ImportError where it is not installed, and InputError where
    another picture than the main one is asked for.
    """
    import pillow_heif

    # Deep values unshifted, so that white stays white: 1023 of 10 bits is 1, and not 65472 / 65535.
    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    asked.check_size(file.size)
    if asked.frame:
        raise no_such_page(asked, len(file), "picture", "main")
    if len(file) > 1 and asked.frame is None:
        warnings.warn(f"{asked.name}: has {len(file)} pictures; only the main one is used", UserWarning, stacklevel=3)
    info = dict(file.info)
    stored = np.asarray(file)
    values = stored[..., None] if stored.ndim == 2 else stored
    bits = int(info.get("bit_depth", 8))
    if values.dtype == np.uint8:
        scaled = unit_values(values)
    else:
        scaled = np.minimum(values.astype(np.float32) / np.float32(2**bits - 1), 1)
    scaled = np.ascontiguousarray(scaled[: file.size[1], : file.size[0]])
    alpha = np.ascontiguousarray(scaled[..., -1]) if file.has_alpha else None
    pixels = np.ascontiguousarray(scaled[..., :-1]) if file.has_alpha else scaled
    if alpha is not None and file.premultiplied_alpha:
        pixels = unpremultiply(pixels, alpha)
    about = iso.properties(data)
    lost = [*(["gain map"] if about.gain_map else ()), *(["depth map"] if info.get("depth_images") else ())]
    warn_of_lost([*lost, *announced(info.get("xmp"))], asked.name)
    profile = metadata.profile_for(info.get("icc_profile"), pixels.shape[2])
    said = info.get("nclx_profile") or {}
    colours = coded(int(said.get("color_primaries", 2)), int(said.get("transfer_characteristics", 2)))
    _, exif = metadata.split_exif(info.get("exif"))  # libheif has turned the picture; the tag would do it twice
    return Image(
        pixels,
        alpha,
        "HEIC",
        exif,
        profile,
        tidy_xmp(info.get("xmp")),
        depth=8 if bits <= 8 else 16,
        extras=Extras(colour=() if profile else colours),
    )
