"""What travels beside the pixels and is no EXIF, XMP, profile or resolution."""

from dataclasses import dataclass, replace

from kfsr.image.ifd import Entry

Chunk = tuple[bytes, bytes]
"""Kind and content of a chunk of PNG."""


@dataclass(frozen=True)
class Extras:
    """colour: PNG's chunks that say what the values mean (cICP, sRGB, gAMA, cHRM, mDCV, cLLI); those of HEIC and AVIF
    are put in the same words. texts: PNG's text chunks as they are. comments: of a JPEG or GIF. iptc: IPTC records.
    tags: of a TIFF: place on earth, ImageJ's and OME's descriptions. calibration: pixels per unit of a microscope's
    picture (across, down) and TIFF's number of the unit; it grows with the picture, as a printer's resolution does not.
    """

    colour: tuple[Chunk, ...] = ()
    texts: tuple[Chunk, ...] = ()
    comments: tuple[bytes, ...] = ()
    iptc: bytes | None = None
    tags: tuple[Entry, ...] = ()
    calibration: tuple[float, float, int] | None = None

    def stripped(self) -> "Extras":
        """Without what tells about the making of the picture; what says how its values look stays, and where its
        pixels lie."""
        return replace(self, texts=(), comments=(), iptc=None)


NO_EXTRAS = Extras()
