"""Camera raws: told by their content, so that the preview inside is never taken for the picture."""

import re
import struct
from collections.abc import Iterator

from kfsr.image.ifd import link_of, read_directory

# Numbers of TIFF. A raw says in some directory that its values are a mosaic or linear sensor values, or compresses them
# in a way that only raws have.
_DNG_VERSION = 50706
_SUB_IFDS, _PHOTOMETRIC, _COMPRESSION = 330, 262, 259
_MOSAIC, _LINEAR_RAW = 32803, 34892
_RAW_COMPRESSIONS = frozenset({32767, 32769, 32770, 32867, 34713, 65000, 65535})  # ARW, ERF, SRW, KDC, NEF, DCR, PEF

_MOST_DIRECTORIES = 64

_STARTS = {
    b"IIRO": "ORF",
    b"IIRS": "ORF",
    b"MMOR": "ORF",
    b"IIU\0": "RW2",
    b"FUJIFILMCCD-RAW": "RAF",
    b"FOVb": "X3F",
    b"\0MRM": "MRW",
    b"ARRI": "ARI",
}

_PHASE_ONE = re.compile(rb"IIII.waR|MMMMRaw.", re.DOTALL)
"""At the beginning, or behind the header of a TIFF."""


def raw_by_signature(head: bytes) -> str | None:
    """The kind of raw that begins with `head`, where its first bytes tell."""
    for start, name in _STARTS.items():
        if head.startswith(start):
            return name
    if head[:4] in (b"II*\0", b"MM\0*") and head[8:10] == b"CR":
        return "CR2"
    if _PHASE_ONE.search(head[:32]):
        return "IIQ"
    if head[6:14] == b"HEAPCCDR":
        return "CRW"
    if head[4:8] == b"ftyp" and head[8:12] == b"crx ":
        return "CR3"
    return None


def raw_by_directories(data: bytes) -> str | None:
    """The kind of raw that a TIFF is, from what its directories say of the values; None for a finished picture."""
    for number, (entries, first) in enumerate(_directories(data)):
        if _DNG_VERSION in entries and first:
            return "DNG"
        photometric, compression = entries.get(_PHOTOMETRIC, 0), entries.get(_COMPRESSION, 0)
        if photometric in (_MOSAIC, _LINEAR_RAW) or compression in _RAW_COMPRESSIONS:
            return "raw"
        if number > _MOST_DIRECTORIES:
            return None
    return None


def refusal(kind: str) -> str:
    """What to tell the owner of a raw."""
    what = "a camera raw" if kind == "raw" else f"a camera raw ({kind})"
    return (
        f"is {what}, of which only the preview is a finished picture; develop it to a 16-bit TIFF first,"
        " for example with darktable-cli, RawTherapee or dcraw -6 -T"
    )


def _directories(data: bytes) -> Iterator[tuple[dict[int, int], bool]]:
    """The first number of every tag, and whether the directory is the first one, page by page and then below."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return
    big = data[2:4] in (b"+\0", b"\0+")
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    except struct.error:
        return
    waiting, first = [at], True
    while waiting and len(seen) <= _MOST_DIRECTORIES:
        at = waiting.pop(0)
        if at == 0 or at in seen:
            continue
        seen.add(at)
        try:
            directory = read_directory(data, at, order, big)
            _, following = link_of(data, at, order, big)
        except (struct.error, OverflowError):
            continue
        below = directory.get(_SUB_IFDS)
        waiting += [following, *(() if below is None else below.numbers()[:_MOST_DIRECTORIES])]
        numbers = {one.tag: one.numbers() for one in directory.entries if len(one.value) <= 64}
        yield {tag: found[0] for tag, found in numbers.items() if found}, first
        first = False
