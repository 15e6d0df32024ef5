"""XMP: what may be kept when the pixels are turned upright and enlarged."""

import re

# What describes one file's pixels and would be a lie in the next one, and the link to more XMP that JPEG keeps in
# segments of its own, which are not read.
_STALE = (
    rb"(?:tiff:(?:Orientation|ImageWidth|ImageLength|Compression|PhotometricInterpretation|SamplesPerPixel"
    rb"|PlanarConfiguration)|exif:Pixel[XY]Dimension|xmpNote:HasExtendedXMP)"
)
# No part of these can match again and again from one start: time stays linear in a packet of any content.
_ATTRIBUTE = re.compile(rb"\s" + _STALE + rb"\s*=\s*(?:\"[^\"<]*\"|'[^'<]*')")
_ELEMENT = re.compile(rb"<(" + _STALE + rb")>[^<]*</\1>")


def tidy_xmp(raw: object) -> bytes | None:
    """The packet `raw` as Pillow hands it out, without orientation and sizes; None for anything but XMP in UTF-8."""
    packet = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    if not isinstance(packet, bytes) or b"<rdf:RDF" not in packet:
        return None
    packet = packet.rstrip(b"\0")
    try:
        packet.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return _ELEMENT.sub(b"", _ATTRIBUTE.sub(b"", packet))
