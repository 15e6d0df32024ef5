"""Reading TIFF: its pages, of any depth and compression, through tifffile and imagecodecs.

Both are imported when there is such a file and not before.
"""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kfsr.image import ifd, metadata, microscopy
from kfsr.image.convert import is_sideways, upright
from kfsr.image.decode import warn_of_lost
from kfsr.image.extras import Chunk, Extras
from kfsr.image.jpeg import iptc_of
from kfsr.image.pixels import Pixels, meaning_of, pixels_of
from kfsr.image.places import PLACES
from kfsr.image.sniff import DAMAGE
from kfsr.image.tiff_decode import decoded
from kfsr.image.value import Image
from kfsr.image.xmp import tidy_xmp

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
_MOST_PAGES = 65536
_LAYERS = 37724
_WHITE_POINT, _PRIMARIES = 318, 319
_MOST_CHANNELS = 64
_OLD_SUBFILE, _DESCRIPTION, _UNIT, _XMP, _IPTC, _PHOTOSHOP, _ICC = 255, 270, 296, 700, 33723, 34377, 34675
_X_RESOLUTION, _Y_RESOLUTION = 282, 283
_IMAGEJ_KEPT = frozenset({"Info", "Labels", "Ranges", "LUTs", "Properties"})
_KEPT_AS_STORED = (0, 1, 2)  # gray and RGB; tifffile's description counts the channels of others
_INCH, _CENTIMETRE, _NO_UNIT = 2, 3, 1


class Tiff:
    """A TIFF that is open. Its pages are those of full size: reduced ones, previews and masks do not count.
    slight: what is wrong with it and does not touch these pages, "" where nothing is.

    Raises what tifffile raises for damaged files.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.slight = ""
        file = io.BytesIO(data)
        broken = ifd.broken_link(data, _MOST_PAGES)
        if broken is None:
            self._file = open_quietly(file)
            return
        place, count = broken
        self.slight = f"behind page {count} the way to the next one leads nowhere or back"
        width = 8 if data[2:4] in (b"+\0", b"\0+") else 4
        _put(file, place, bytes(width))
        self._file = open_quietly(file)
        len(self._file.pages)  # finds them all
        _put(file, place, data[place : place + width])  # where all is damage, it may be pixels

    @cached_property
    def pages(self) -> list[TiffPage]:
        """At least one."""
        every = [page.aspage() for page in self._file.pages[:_MOST_PAGES]]
        if not every:
            raise ValueError("no pages")
        full = [page for page in every if not _is_reduced(page)]
        if full:
            return full + full[:1] * self._without_directory
        below = [one.aspage() for page in every for one in page.pages or ()]
        return [page for page in below if not _is_reduced(page)] or every

    @cached_property
    def _without_directory(self) -> int:
        """How many pages follow the only one without a directory of their own, as ImageJ writes large stacks."""
        if len(self._file.pages) != 1 or not (self._file.is_imagej or self._file.is_shaped):
            return 0
        page = self._file.pages.first
        try:
            frames = microscopy.frames(page.description, page.size)
            there = (len(self._data) - page.dataoffsets[0]) // page.nbytes
        except DAMAGE:
            return 0
        # A description that other programs have left behind says more than there is.
        return min(frames, _MOST_PAGES) - 1 if frames > 1 and there > 1 and page.compression == 1 else 0

    def size(self, number: int = 0) -> tuple[int, int]:
        """Width and height as the page is stored."""
        return size_of(self.pages[number])

    def image(
        self, number: int, name: str, check_size: Callable[[tuple[int, int]], None], *, alone: bool = False
    ) -> Image:
        """One page, upright, with all that travels beside its pixels. name: for warnings. check_size: called with
        width and height before anything is decoded. alone: as a picture of its own, whose description, which stands in
        the first page, does not say any more that there are others.

        Raises UnsupportedError for sound pages of a kind that is not read, and what tifffile and imagecodecs raise for
        damaged ones.
        """
        page = self.pages[number]
        check_size(size_of(page))
        directory = self._directory(page)
        if number and self._without_directory:
            directory = directory.without([_DESCRIPTION, microscopy.IMAGEJ_SIZES, microscopy.IMAGEJ])
        alone = alone and len(self.pages) > 1
        if alone and number:
            directory = _described(directory, self._directory(self.pages[0]))
        values = decoded(self._data, page, number if self._without_directory else 0)
        found = pixels_of(page, values, _value(directory, _ICC), name)
        turn = _first(directory, metadata.ORIENTATION, 1)
        sideways = is_sideways(turn)
        exif = ifd.exif_block(metadata.descriptive(directory))
        resolution = _resolution(directory)
        extras = self._extras(page, directory, turn != 1, name)
        made = Image(
            upright(found.pixels, turn),
            None if found.alpha is None else upright(found.alpha, turn),
            "TIFF",
            exif,
            metadata.profile_for(found.icc_profile, found.pixels.shape[2]),
            tidy_xmp(_value(directory, _XMP)),
            None if extras.calibration else metadata.resolution(resolution, sideways),
            found.depth,
            sample=found.sample,
            extras=extras,
            planes=tuple(_plane(one, turn) for one in found.planes),
        )
        return one_page_of(made) if alone else made

    def _directory(self, page: TiffPage) -> ifd.Directory:
        return ifd.read_directory(self._data, page.offset, self._file.byteorder, self._file.is_bigtiff)

    def _extras(self, page: TiffPage, directory: ifd.Directory, turned: bool, name: str) -> Extras:
        """turned: whether the picture is stored sideways or upside down; then its places are no longer right."""
        tags = [one for one in directory.entries if one.tag in PLACES]
        description = _value(directory, _DESCRIPTION) or b""
        calibration = None
        lost = ["layers"] if page.tags.get(_LAYERS) is not None else []
        if tags and turned:
            lost.append("place on the map (GeoTIFF)")
            tags = []
        as_stored = page.shaped[0] == 1 and meaning_of(page) in _KEPT_AS_STORED
        if microscopy.is_description(description) and (as_stored or not description.lstrip().startswith(b"{")):
            if microscopy.is_calibrated(description):
                across, down = (_first(directory, tag, 0.0) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
                calibration = (across, down, _first(directory, _UNIT, _NO_UNIT)) if across > 0 and down > 0 else None
            if microscopy.described(description) is None:
                lost.append("description of the stack")
            if microscopy.has_outlines(description) or _imagej_outlines(page):
                lost.append("outlines")
            tags += [one for one in directory.entries if one.tag == _DESCRIPTION]
            tags += _imagej(page)
        warn_of_lost(lost, name)
        both = (_value(directory, _IPTC), iptc_of(_value(directory, _PHOTOSHOP) or b""))
        iptc = max((one for one in both if one), key=len, default=None)  # programs change one and forget the other
        colour = () if directory.get(_ICC) else _primaries(directory)
        return Extras(colour, iptc=iptc, tags=tuple(tags), calibration=calibration)


def _imagej(page: TiffPage) -> list[ifd.Entry]:
    """ImageJ's own metadata but for outlines, which count the pixels of the picture that they were drawn on."""
    import tifffile

    kept = {name: value for name, value in _imagej_about(page).items() if name in _IMAGEJ_KEPT}
    made = tifffile.imagej_metadata_tag(kept, "<") if kept else ()
    return [ifd.Entry(code, kind, value) for code, kind, _, value, _ in made]


def _imagej_about(page: TiffPage) -> dict[str, Any]:
    tag = page.tags.get(microscopy.IMAGEJ)
    return tag.value if tag is not None and isinstance(tag.value, dict) else {}


def _imagej_outlines(page: TiffPage) -> bool:
    return bool({"ROI", "Overlays"} & set(_imagej_about(page)))


def size_of(page: TiffPage) -> tuple[int, int]:
    """Width and height of a page. ValueError where they are no numbers: tifffile hands out what the tags hold."""
    size: tuple[Any, Any] = page.imagewidth, page.imagelength
    if not all(isinstance(one, int) for one in size):
        raise ValueError("width and height are no numbers")
    return size


def open_quietly(file: Any) -> TiffFile:
    """tifffile's reader. What it has to say of odd files is in what it raises; its log stays away from standard
    error."""
    import tifffile

    log = logging.getLogger("tifffile")
    if not log.handlers:
        log.addHandler(logging.NullHandler())
        log.propagate = False
    return tifffile.TiffFile(file)


def _put(file: io.BytesIO, place: int, content: bytes) -> None:
    file.seek(place)
    file.write(content)
    file.seek(0)


def one_page_of(image: Image) -> Image:
    """A page of a stack as a picture of its own: its description says no more that there are others."""
    tags = []
    for one in image.extras.tags:
        if one.tag != _DESCRIPTION:
            if one.tag not in (microscopy.IMAGEJ_SIZES, microscopy.IMAGEJ):
                tags.append(one)
        elif (text := microscopy.described(one.value, pages=1)) is not None:
            tags.append(ifd.Entry(_DESCRIPTION, ifd.ASCII, text))
    return replace(image, extras=replace(image.extras, tags=tuple(tags)))


def _described(page: ifd.Directory, first: ifd.Directory) -> ifd.Directory:
    """The tags of a page with the description of the `first` one, where that is a microscope's."""
    found = first.get(_DESCRIPTION)
    if page.get(_DESCRIPTION) is not None or found is None or not microscopy.is_description(found.value):
        return page
    return page.plus(found, *(one for one in first.entries if one.tag in (_X_RESOLUTION, _Y_RESOLUTION, _UNIT)))


def _is_reduced(page: TiffPage) -> bool:
    tag = page.tags.get(_OLD_SUBFILE)
    return bool(page.subfiletype & (_REDUCED | _MASK)) or (tag is not None and tag.value == _OLD_REDUCED)


def _plane(one: Pixels, turn: int) -> Image:
    return Image(upright(one.pixels, turn), None, "TIFF", depth=one.depth, sample=one.sample)


def _primaries(directory: ifd.Directory) -> tuple[Chunk, ...]:
    """White point and primaries of a TIFF without a profile, in the words of PNG; () where it does not say."""
    found = [directory.get(tag) for tag in (_WHITE_POINT, _PRIMARIES)]
    numbers = [number for one in found if one is not None and one.kind == ifd.RATIONAL for number in one.numbers()]
    if len(numbers) != 16 or not all(numbers[1::2]):
        return ()
    values = [round(100_000 * above / below) for above, below in zip(numbers[::2], numbers[1::2], strict=True)]
    return ((b"cHRM", struct.pack(">8I", *values)),) if max(values) <= 100_000 else ()


def _resolution(directory: ifd.Directory) -> tuple[float, float] | None:
    """Pixels per inch as stored."""
    unit = _first(directory, _UNIT, _INCH)
    if unit not in (_INCH, _CENTIMETRE):
        return None
    across, down = (_first(directory, tag, 0.0) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    return (across, down) if unit == _INCH else (across * 2.54, down * 2.54)


def _value(directory: ifd.Directory, tag: int) -> bytes | None:
    found = directory.get(tag)
    return None if found is None else found.value


def _first(directory: ifd.Directory, tag: int, default: Any) -> Any:
    """A tag's first number, a rational as a fraction; `default` where there is none."""
    found = directory.get(tag)
    numbers = () if found is None else found.numbers()
    if found is not None and found.kind == ifd.RATIONAL and len(numbers) > 1:
        return numbers[0] / numbers[1] if numbers[1] else default
    return numbers[0] if numbers else default
