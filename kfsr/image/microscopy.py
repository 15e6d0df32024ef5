"""The descriptions by which microscopes' programs know the axes of a stack: ImageJ's, OME's and tifffile's.

They repeat what the file holds, so they change with it: larger pictures have smaller pixels, and one page of a stack is
no stack. Axes, units, channel names and the rest stay as they are.
"""

import json
import math
import re
import xml.etree.ElementTree as ET

from kfsr.image.ifd import ASCII, Entry

DESCRIPTION = 270
IMAGEJ_SIZES, IMAGEJ = 50838, 50839
_IMAGEJ_COUNTS = re.compile(rb"^(?:images|channels|slices|frames|hyperstack|mode)=.*\r?\n?", re.MULTILINE)
_OME_URI = re.compile(r"\{(http://www\.openmicroscopy\.org/Schemas/OME/[^}]*)\}OME")


def is_description(value: bytes) -> bool:
    """Whether a description is one of those that count pages and pixels."""
    start = value[:4096].lstrip()
    return (
        start.startswith((b"ImageJ=", b"SCIFIO="))
        or (start.startswith(b"{") and b'"shape"' in start)
        or (start.startswith(b"<") and b"openmicroscopy.org/Schemas/OME" in start)
    )


def says_more(value: bytes) -> bool:
    """Whether such a description says more than rows and columns, as tifffile's does not of a plain picture."""
    try:
        about = json.loads(value.rstrip(b"\0"))
    except (ValueError, RecursionError):
        return True
    return not isinstance(about, dict) or bool(about.keys() - {"shape", "truncated"})


def has_outlines(value: bytes) -> bool:
    """Whether an OME description holds outlines that were drawn on the picture."""
    return b"<ROI " in value or b":ROI " in value


def frames(description: str, size: int) -> int:
    """How many pages of `size` values ImageJ's description, or tifffile's of pages without directories, counts; 1 where
    it counts none. Raises what reading such a description may raise."""
    if description.startswith("ImageJ="):
        found = re.search(r"^images=(\d{1,9})\s*$", description, re.MULTILINE)
        return int(found[1]) if found else 1
    if not description.startswith("{") or '"truncated"' not in description:
        return 1
    return math.prod(int(one) for one in json.loads(description)["shape"]) // size


def is_calibrated(value: bytes) -> bool:
    """Whether the resolution beside such a description is that of the microscope: pixels for each of its units."""
    return value.startswith(b"ImageJ=") and b"\nunit=" in value


def described(
    value: bytes, scale: float = 1, pages: int | None = None, size: tuple[int, int] | None = None
) -> bytes | None:
    """A description for a picture `scale` times as large; pages: 1 where it is one page of the stack, None where all
    are there. size: rows and columns of what is described, which tell them from further channels. None for what cannot
    be understood, or speaks of more files than this one."""
    text = value.rstrip(b"\0")
    try:
        if text.startswith((b"ImageJ=", b"SCIFIO=")):
            changed = text if pages is None else _IMAGEJ_COUNTS.sub(b"", text)
        elif text.lstrip().startswith(b"{"):
            changed = _tifffile(text, scale, pages, size)
        else:
            changed = _ome(text, scale, pages)
    except (ET.ParseError, ValueError, LookupError, TypeError, RecursionError, OverflowError):
        return None
    return changed + b"\0"


def enlarged_description(tags: tuple[Entry, ...], scale: float, size: tuple[int, int]) -> tuple[Entry, ...]:
    """`tags` with their description, if they have one, for a picture that is `scale` times as large as one of `size`,
    rows and columns."""
    changed = []
    for one in tags:
        if one.tag != DESCRIPTION:
            changed.append(one)
        elif (text := described(one.value, scale, size=size)) is not None:
            changed.append(Entry(DESCRIPTION, ASCII, text))
    return tuple(changed)


def _tifffile(text: bytes, scale: float, pages: int | None, size: tuple[int, int] | None) -> bytes:
    about = json.loads(text)
    shape = [int(size) for size in about["shape"]]
    channels = 1 if len(shape) > 2 and shape[-1] in (2, 3, 4) and not str(about.get("axes", "S")).endswith("X") else 0
    at = len(shape) - 2 - channels
    if size is not None and at > 0 and tuple(shape[at : at + 2]) != size == tuple(shape[at - 1 : at + 1]):
        at -= 1  # more channels than colours
    if at < 0:
        raise ValueError("no picture")
    shape[at : at + 2] = (round(size * scale) for size in shape[at : at + 2])
    about["shape"] = shape if pages is None else shape[at:]
    about.pop("truncated", None)  # every page gets its directory
    if pages is not None and "axes" in about:
        about["axes"] = about["axes"][at:]
    return json.dumps(about).encode("ascii")


def _ome(text: bytes, scale: float, pages: int | None) -> bytes:
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise ValueError("entities")
    root = ET.fromstring(text)
    found = _OME_URI.fullmatch(root.tag)
    if found is None:
        raise ValueError("no OME")
    ET.register_namespace("", found[1])
    ET.register_namespace("xsi", "http://www.w3.org/2001/XMLSchema-instance")
    space = f"{{{found[1]}}}"
    if len({one.get("FileName") for one in root.iter(f"{space}UUID")}) > 1:
        raise ValueError("several files")
    root.attrib.pop("UUID", None)
    for one in root.iter(f"{space}TiffData"):
        for uuid in one.findall(f"{space}UUID"):
            one.remove(uuid)
    # Outlines count the pixels of the picture that they were drawn on.
    for parent, name in ((root, "ROI"), *((image, "ROIRef") for image in root.iter(f"{space}Image"))):
        for one in parent.findall(f"{space}{name}"):
            parent.remove(one)
    for image in root.findall(f"{space}Image")[pages:] if pages is not None else ():
        root.remove(image)
    for pixels in root.iter(f"{space}Pixels"):
        _enlarge(pixels, scale)
        if pages is not None:
            _keep_one(pixels, space)
    return ET.tostring(root, encoding="UTF-8", xml_declaration=True)


def _enlarge(pixels: ET.Element, scale: float) -> None:
    for axis in "XY":
        if size := pixels.get(f"Size{axis}"):
            pixels.set(f"Size{axis}", str(round(int(size) * scale)))
        if physical := pixels.get(f"PhysicalSize{axis}"):
            pixels.set(f"PhysicalSize{axis}", repr(float(physical) / scale))


def _keep_one(pixels: ET.Element, space: str) -> None:
    pixels.attrib |= {"SizeZ": "1", "SizeT": "1"}
    channels = pixels.findall(f"{space}Channel")
    samples = channels[0].get("SamplesPerPixel", "1") if channels else "1"
    pixels.set("SizeC", samples)
    for one in (*channels[1:], *pixels.findall(f"{space}TiffData")[1:], *pixels.findall(f"{space}Plane")):
        pixels.remove(one)
    for one in pixels.findall(f"{space}TiffData"):
        one.attrib.clear()
        one.attrib |= {"IFD": "0", "PlaneCount": "1"}
