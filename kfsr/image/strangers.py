"""Files that are not read, called by their names: it is easier to convert what one knows to be a PSD."""

import re

_PICTURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"II\xbc", "JPEG XR"),
    (b"8BPS", "PSD (Photoshop)"),
    (b"gimp xcf ", "XCF (GIMP)"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"SIMPLE  =", "FITS"),
    (b"icns", "ICNS (Apple icon)"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"\x8aMNG", "MNG"),
    (b"\x8bJNG", "JNG"),
    (b"BPG\xfb", "BPG"),
    (b"\x01\xda", "SGI"),
    (b"\x59\xa6\x6a\x95", "Sun raster"),
    (b"\n\5\1", "PCX"),
    (b"farbfeld", "farbfeld"),
    (b"/* XPM */", "XPM"),
)

_ICONS = {b"\0\0\1\0": "ICO (Windows icon)", b"\0\0\2\0": "CUR (Windows cursor)"}

_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF; take the pictures out of it, for example with pdfimages -png"),
    (b"%!PS", "PostScript; make a PNG of it first, for example with Ghostscript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript; make a PNG of it first, for example with Ghostscript"),
    (b"PK\3\4", "a ZIP archive; unpack it"),
    (b"\x1f\x8b", "packed with gzip; unpack it"),
    (b"version https://git-lfs", "a pointer of Git LFS and not the picture; fetch it with git lfs pull"),
    (b"\x1aE\xdf\xa3", "a film; take the pictures out of it, for example with ffmpeg"),
)

_FILM_BRANDS = re.compile(rb"iso[m2-9]|mp4\d|avc1|M4V |qt  |3gp|3g2|dash|MSNV")
_NETPBM = re.compile(rb"P[1-7][\s#]|P[Ff]\s")
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(!doctype html|html|\?xml|svg|!--)", re.IGNORECASE)


def what_it_is(head: bytes) -> str | None:
    """Why a file that begins with `head` is not read and what to do, in words that follow its name; None for what is
    not known. Of use only where `sniff.format_of` knows nothing."""
    for start, name in _PICTURES:
        if head.startswith(start):
            return _not_read(name)
    if head[:4] in _ICONS and head[4:6] != b"\0\0":  # how many there are; a TGA may begin like that with none
        return _not_read(_ICONS[head[:4]])
    for start, words in _OTHERS:
        if head.startswith(start):
            return f"is {words}"
    if _NETPBM.match(head):
        return _not_read("Netpbm (PPM, PGM, PBM, PAM, PFM)")
    if head[128:132] == b"DICM":
        return _not_read("DICOM")
    if _MARKUP.match(head):
        if b"<svg" in head:
            return "is a drawing (SVG); make a PNG of it at the size that you want"
        if b"html" in head.lower():
            return "is a page of the web and not a picture; fetch the picture itself once more"
    if head[4:8] == b"ftyp":
        if _FILM_BRANDS.match(head[8:12]):
            return "is a film; take the pictures out of it, for example with ffmpeg"
        return "is a HEIF of a kind that is not read"
    return None


def _not_read(name: str) -> str:
    return f"is a picture in the format {name}, which is not read"
