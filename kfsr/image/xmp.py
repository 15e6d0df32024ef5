"""XMP: what may be kept when the pixels are turned upright and enlarged."""

import re

# What describes one file's pixels and would be a lie in the next one, and the link to more XMP that JPEG keeps in
# segments of its own, which are not read.
_STALE = (
    rb"(?:tiff:(?:Orientation|ImageWidth|ImageLength|Compression|PhotometricInterpretation|SamplesPerPixel"
    rb"|PlanarConfiguration)|exif:Pixel[XY]Dimension|exif:Subject(?:Area|Location)|xmpNote:HasExtendedXMP|dc:format)"
)
# No part of these can match again and again from one start: time stays linear in a packet of any content.
_ATTRIBUTE = re.compile(rb"\s" + _STALE + rb"\s*=\s*(?:\"[^\"<]*\"|'[^'<]*')")
_ELEMENT = re.compile(rb"<(" + _STALE + rb")>[^<]*</\1>")

# Namespaces that speak of a second picture, a film or a depth map in the same file, and what such a file loses.
# None is: nothing that can be seen.
_OTHER_PARTS = {
    b"http://ns.adobe.com/hdr-gain-map/1.0/": "gain map",
    b"http://ns.apple.com/HDRGainMap/1.0/": "gain map",
    b"http://ns.google.com/photos/1.0/container/": None,
    b"http://ns.google.com/photos/1.0/container/item/": None,
    b"http://ns.google.com/photos/1.0/depthmap/": "depth map",
    b"http://ns.google.com/photos/1.0/image/": None,
    b"http://ns.google.com/photos/1.0/audio/": "sound",
    b"http://ns.google.com/photos/dd/1.0/device/": "depth map",
    b"http://ns.xiaomi.com/photos/1.0/camera/": None,
    b"http://ns.apple.com/pixeldatainfo/1.0/": None,
}
_FILM = re.compile(
    rb"\s[\w-]+:(?:MotionPhoto\w*|MicroVideo\w*|MiniVideo\w*|VideoLength\w*)\s*=\s*(?:\"[^\"<]*\"|'[^'<]*')"
    rb"|<([\w-]+:(?:MotionPhoto\w*|MicroVideo\w*|VideoLength\w*))>[^<]*</\1>"
)
_PREVIEWS = ((b"http://ns.adobe.com/xap/1.0/", b"Thumbnails"),)

# Sizes and places counted in pixels: a panorama's, and those of the picture on which regions were marked.
_PIXELS = (
    rb"(?:GPano:(?:FullPano|CroppedAreaImage|CroppedArea)(?:Width|Height|Left|Top)Pixels"
    rb"|GPano:LargestValidInteriorRect(?:Left|Top|Width|Height)|stDim:[wh])"
)
_PIXEL_ATTRIBUTE = re.compile(rb"(\s" + _PIXELS + rb"\s*=\s*[\"'])(\d{1,9})(?=[\"'])")
_PIXEL_ELEMENT = re.compile(rb"(<" + _PIXELS + rb">)(\d{1,9})(?=<)")
_MOST_PREFIXES, _MOST_NAMES = 4, 32


def tidy_xmp(raw: object) -> bytes | None:
    """The packet `raw` as Pillow hands it out, without orientation and sizes, and without what it says of other
    pictures and films in the same file; None for anything but XMP."""
    packet = _in_utf8(raw)
    if not isinstance(packet, bytes) or b"<rdf:RDF" not in packet:
        return None
    packet = packet.rstrip(b"\0")
    try:
        packet.decode("utf-8")
    except UnicodeDecodeError:
        return None
    packet = _ELEMENT.sub(b"", _ATTRIBUTE.sub(b"", packet))
    for prefix, _ in _prefixes(packet):
        packet = _without_namespace(packet, prefix)
    for uri, name in _PREVIEWS:
        for prefix in _prefixes_of(packet, uri):
            packet = _without_elements(packet, prefix + b":" + name)
    return _FILM.sub(b"", packet)


def enlarged_xmp(packet: bytes, scale: float) -> bytes:
    """A packet for a picture `scale` times as large: what counts pixels counts the new ones."""

    def more(found: re.Match[bytes]) -> bytes:
        return found[1] + str(round(int(found[2]) * scale)).encode()

    return _PIXEL_ELEMENT.sub(more, _PIXEL_ATTRIBUTE.sub(more, packet))


def announced(packet: object) -> list[str]:
    """What else a file holds by its XMP, in words, once each: a gain map, a film, a depth map."""
    packet = _in_utf8(packet) or b""
    named = [(re.compile(rb"[\s<]" + re.escape(prefix) + b":"), what) for prefix, what in _prefixes(packet)]
    said = [what for name, what in named if what and name.search(packet)]
    if (found := _FILM.search(packet)) and not found[0].rstrip(b"\"'").endswith(b"0"):
        said.append("video")
    return list(dict.fromkeys(said))


def _in_utf8(raw: object) -> bytes | None:
    """A packet in UTF-16 or UTF-32, which XMP allows too, in UTF-8; one in UTF-8 as it is."""
    if isinstance(raw, str):
        return raw.encode("utf-8", "surrogatepass")
    if not isinstance(raw, bytes):
        return None
    for encoding, width in (("utf-16-le", 2), ("utf-16-be", 2), ("utf-32-le", 4), ("utf-32-be", 4)):
        at = raw.find("<rdf:RDF".encode(encoding))
        if at >= 0 and at % width == 0:
            try:
                return raw[: len(raw) // width * width].decode(encoding).lstrip("\ufeff").encode("utf-8")
            except UnicodeError:
                continue
    return raw


def _prefixes(packet: bytes) -> list[tuple[bytes, str | None]]:
    """The prefixes that stand for those namespaces in this packet, and what each means."""
    return [(prefix, what) for uri, what in _OTHER_PARTS.items() for prefix in _prefixes_of(packet, uri)]


def _prefixes_of(packet: bytes, uri: bytes) -> list[bytes]:
    found = re.findall(rb"xmlns:([\w-]{1,64})\s*=\s*[\"']" + re.escape(uri) + rb"[\"']", packet)
    return list(dict.fromkeys(found))[:_MOST_PREFIXES]


def _without_namespace(packet: bytes, prefix: bytes) -> bytes:
    """Without all attributes and elements of that prefix; what stands inside an element goes with it."""
    name = re.escape(prefix)
    packet = re.sub(rb"\s" + name + rb":[\w-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*')", b"", packet)
    for element in list(dict.fromkeys(re.findall(rb"<(" + name + rb":[\w-]{1,64})[\s/>]", packet)))[:_MOST_NAMES]:
        packet = _without_elements(packet, element)
    return re.sub(rb"\sxmlns:" + name + rb"\s*=\s*(?:\"[^\"<]*\"|'[^'<]*')", b"", packet)


def _without_elements(packet: bytes, element: bytes) -> bytes:
    """Without every element of that name, which does not stand inside itself."""
    kept, at = [], 0
    start, end = re.compile(b"<" + re.escape(element) + rb"[\s/>]"), b"</" + element + b">"
    while found := start.search(packet, at):
        close = packet.find(b">", found.start())
        if close < 0:
            break
        if packet[close - 1 : close] != b"/":
            stop = packet.find(end, close)
            if stop < 0:
                break
            close = stop + len(end) - 1
        kept.append(packet[at : found.start()])
        at = close + 1
    return b"".join([*kept, packet[at:]])
