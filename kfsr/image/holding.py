"""What a format cannot hold of a picture, in words, and what is done instead."""

from kfsr.image import microscopy, places, png
from kfsr.image.formats import Format
from kfsr.image.metadata import says_more
from kfsr.image.profiles import icc_of, meaning
from kfsr.image.value import Image

_IPTC = frozenset({"PNG", "JPEG", "TIFF"})
_COMMENTS = frozenset({"PNG", "JPEG"})
_MOST_NAMES = 3


def what_is_lost(image: Image, target: Format) -> list[str]:
    """What travels with `image` and has no place in `target`."""
    extras, tiff = image.extras, target.name == "TIFF"
    lost = []
    if not target.metadata:
        lost += [name for name, held in (("EXIF", says_more(image.exif)), ("XMP", image.xmp is not None)) if held]
    if extras.iptc is not None and target.name not in _IPTC:
        lost.append("IPTC")
    if extras.comments and target.name not in _COMMENTS:
        lost.append("the comment")
    if extras.texts and target.name != "PNG":
        names = list(dict.fromkeys(png.keyword_of(one).decode("latin-1") for _, one in extras.texts))
        more = ", ..." if len(names) > _MOST_NAMES else ""
        lost.append(f"the texts of the PNG ({', '.join(names[:_MOST_NAMES])}{more})")
    tags = {one.tag for one in extras.tags if one.tag != microscopy.DESCRIPTION or microscopy.says_more(one.value)}
    if tags & set(places.PLACES) and not tiff:
        lost.append("the place on the map (GeoTIFF)")
    if microscopy.DESCRIPTION in tags and not tiff:
        lost.append("the microscope's description")
    if image.planes and not tiff:
        lost.append(f"{len(image.planes)} further channel{'s'[: len(image.planes) != 1]}")
    return lost


def profile_for_target(image: Image, target: Format) -> tuple[bytes | None, str | None]:
    """The ICC profile that `target` needs beside the values, and what to tell the user about it, if anything.

    PNG's own words for colours go into a PNG as they are; for others they become a profile.
    """
    as_it_was = target.name == "PNG" or (target.name == image.format == "JPEG")  # a JPEG's is in its EXIF
    if image.icc_profile is not None or as_it_was or not image.extras.colour:
        return image.icc_profile, None
    said = meaning(image.extras.colour)
    if said is None:
        return None, f"{target.name} cannot say what its colours mean; they may look different"
    profile = icc_of(said, image.channels)
    if profile is None and not said.is_srgb:
        return None, f"{target.name} cannot say what its colours mean; they may look different"
    if said.hdr:
        return profile, f"{target.name} has no HDR; lights brighter than white show as white; write .png to keep them"
    return profile, None
