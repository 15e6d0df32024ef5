"""The file formats, and what each can hold."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PIL import features

from kfsr.errors import UsageError
from kfsr.image.sniff import HEAD, format_of


@dataclass(frozen=True)
class Format:
    """One file format.

    name      Pillow's name
    suffixes  file name endings, lower case, the usual one first
    alpha     whether transparency can be stored
    gray      whether one channel can be stored (else gray is written as RGB)
    metadata  whether EXIF, XMP and ICC can be stored
    max_side  the largest width or height, in pixels
    feature   Pillow's name of the codec where Pillow may be built without it, else None
    deep      whether 16 bits a channel can be stored
    dpi       whether pixels per inch can be stored outside EXIF
    writable  whether it is written as well as read
    """

    name: str
    suffixes: tuple[str, ...]
    alpha: bool
    gray: bool
    metadata: bool
    max_side: int
    feature: str | None = None
    deep: bool = False
    dpi: bool = False
    writable: bool = True

    @property
    def available(self) -> bool:
        """Whether this installation has the codec."""
        if self.name == "HEIC":
            return find_spec("pillow_heif") is not None  # not imported before there is such a file
        return self.feature is None or bool(features.check(self.feature))


_FORMATS = (
    Format("PNG", (".png",), alpha=True, gray=True, metadata=True, max_side=2**31 - 1, deep=True, dpi=True),
    Format(
        "JPEG",
        (".jpg", ".jpeg", ".jfif", ".jpe"),
        alpha=False,
        gray=True,
        metadata=True,
        max_side=65500,
        feature="jpg",
        dpi=True,
    ),
    Format("WEBP", (".webp",), alpha=True, gray=False, metadata=True, max_side=16383, feature="webp"),
    Format("TIFF", (".tif", ".tiff"), alpha=True, gray=True, metadata=True, max_side=2**31 - 1, deep=True, dpi=True),
    Format("BMP", (".bmp",), alpha=False, gray=True, metadata=False, max_side=2**31 - 1, dpi=True),
    Format("AVIF", (".avif",), alpha=True, gray=True, metadata=True, max_side=65535, feature="avif"),
    Format("HEIC", (".heic", ".heif", ".hif"), True, True, metadata=True, max_side=65535, deep=True, writable=False),
    # Not written: 256 colours are too few for a photograph.
    Format("GIF", (".gif",), alpha=True, gray=True, metadata=False, max_side=65535, writable=False),
)


def supported_formats() -> dict[str, tuple[str, ...]]:
    """The formats that this installation reads and writes: Pillow's name to its file name endings."""
    return {one.name: one.suffixes for one in _FORMATS if one.available and one.writable}


def readable_formats() -> dict[str, tuple[str, ...]]:
    """The formats that this installation reads, as `supported_formats`; some are not written."""
    return {one.name: one.suffixes for one in _FORMATS if one.available}


def known_suffixes() -> list[str]:
    """The file name endings of all formats that are read, also where this installation lacks the codec."""
    return [suffix for one in _FORMATS for suffix in one.suffixes]


def looks_like_picture(path: Path) -> bool:
    """Whether a file begins as a picture of one of these formats does; False for what cannot be read. BMP's two letters
    are too few to tell."""
    try:
        with path.open("rb") as file:
            return format_of(file.read(HEAD)) not in (None, "BMP")
    except OSError:
        return False


def why_unreadable(name: str) -> str | None:
    """Why pictures of the format called `name` cannot be read here and what to do; None when they can."""
    found = next(one for one in _FORMATS if one.name == name)
    return None if found.available else codec_missing(found)


def format_by_name(name: str) -> Format:
    """The format to write that is called `name` ("PNG", "jpeg") or ends in it ("jpg", ".tif"), in any case.

    Raises UsageError when it is unknown, only read, or its codec is missing.
    """
    # Every format's name is also one of its endings.
    return _writable("." + name.lower().removeprefix("."), f"{name!r} is not a known image format")


def format_by_suffix(path: Path) -> Format:
    """The format to write that the ending of `path` stands for.

    Raises UsageError, naming the path and the known endings, when there is none.
    """
    unknown = f"the ending {path.suffix!r} is not a known image format" if path.suffix else "the name has no ending"
    return _writable(path.suffix.lower(), unknown, f"{path}: ")


def codec_missing(one: Format) -> str:
    """What to tell a user who lacks the codec of `one`."""
    if one.name == "HEIC":
        return "HEIC is read with pillow-heif, which is not installed; pip install 'kfsr[heic]'"
    return f"this installation of Pillow has no {one.name} codec; install a Pillow wheel from PyPI"


def _writable(suffix: str, unknown: str, prefix: str = "") -> Format:
    known = ", ".join(one for suffixes in supported_formats().values() for one in suffixes[:2])  # the usual ones
    found = next((one for one in _FORMATS if suffix in one.suffixes), None)
    if found is None or not found.writable:
        problem = unknown if found is None else f"{found.name} is read but not written"
        raise UsageError(f"{prefix}{problem}; use one of {known}")
    if not found.available:
        raise UsageError(f"{prefix}{codec_missing(found)}")
    return found
