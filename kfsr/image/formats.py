"""The file formats, and what each can hold."""

from dataclasses import dataclass
from pathlib import Path

from PIL import features

from kfsr.errors import UsageError


@dataclass(frozen=True)
class Format:
    """One file format.

    name      Pillow's name
    suffixes  file name endings, lower case, the usual one first
    alpha     whether transparency can be stored
    gray      whether one channel can be stored (else gray is written as RGB)
    metadata  whether EXIF and ICC can be stored
    max_side  the largest width or height, in pixels
    feature   Pillow's name of the codec where Pillow may be built without it, else None
    written   whether pictures are written in it too
    """

    name: str
    suffixes: tuple[str, ...]
    alpha: bool
    gray: bool
    metadata: bool
    max_side: int
    feature: str | None = None
    written: bool = True

    @property
    def available(self) -> bool:
        """Whether this installation of Pillow has the codec."""
        return self.feature is None or bool(features.check(self.feature))


_FORMATS = (
    Format("PNG", (".png",), alpha=True, gray=True, metadata=True, max_side=2**31 - 1),
    Format("JPEG", (".jpg", ".jpeg"), alpha=False, gray=True, metadata=True, max_side=65500, feature="jpg"),
    Format("WEBP", (".webp",), alpha=True, gray=False, metadata=True, max_side=16383, feature="webp"),
    Format("TIFF", (".tif", ".tiff"), alpha=True, gray=True, metadata=True, max_side=2**31 - 1),
    Format("BMP", (".bmp",), alpha=False, gray=True, metadata=False, max_side=2**31 - 1),
    Format("AVIF", (".avif",), alpha=True, gray=True, metadata=True, max_side=65535, feature="avif"),
    # Not written: 256 colours are too few for a photograph.
    Format("GIF", (".gif",), alpha=True, gray=True, metadata=False, max_side=65535, written=False),
)


def supported_formats(writing: bool = False) -> dict[str, tuple[str, ...]]:
    """The formats that this installation reads, or `writing` writes: Pillow's name to its file name endings."""
    return {one.name: one.suffixes for one in _FORMATS if one.available and (one.written or not writing)}


def format_by_name(name: str, writing: bool = True) -> Format:
    """The format called `name` ("PNG", "jpeg") or ending in it ("jpg", ".tif"), in any case, for `writing` or reading.

    Raises UsageError when it is unknown, its codec is missing or it cannot be written.
    """
    suffix = "." + name.lower().removeprefix(".")  # every format's name is one of its endings, too
    for one in _FORMATS:
        if suffix in one.suffixes:
            if not one.available:
                raise UsageError(codec_missing(one))
            if writing and not one.written:
                raise UsageError(f"{one.name} is read but not written; use one of {_known_suffixes()}")
            return one
    raise UsageError(f"{name!r} is not a known image format; use one of {_known_suffixes()}")


def format_by_suffix(path: Path) -> Format:
    """The format that a picture is written in to `path`, after its ending.

    Raises UsageError, naming the path and the known endings, when there is none.
    """
    suffix = path.suffix.lower()
    for one in _FORMATS:
        if suffix in one.suffixes:
            if not one.available:
                raise UsageError(f"{path}: {codec_missing(one)}")
            if not one.written:
                raise UsageError(f"{path}: {one.name} is read but not written; use one of {_known_suffixes()}")
            return one
    problem = f"the ending {path.suffix!r} is no known image format" if suffix else "the name has no ending"
    raise UsageError(f"{path}: {problem}; use one of {_known_suffixes()}")


def codec_missing(one: Format) -> str:
    """What to tell a user whose Pillow was built without the codec of `one`."""
    return f"this installation of Pillow has no {one.name} codec; install a Pillow wheel from PyPI"


def _known_suffixes() -> str:
    return ", ".join(suffix for suffixes in supported_formats(writing=True).values() for suffix in suffixes)
