"""A user's choices for one run, as one frozen value: from the command line, from Python keywords or from a TOML file.

The recipe is what decides a result, beside the pictures and the machine: methods, seed, output quality and every number
of the settings. Where the work is done (device, threads, memory, folders) is no part of it.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kfsr
from kfsr.errors import InputError, UsageError
from kfsr.settings import PRESETS, Settings
from kfsr.size import MOST, Size

SCALES = (1, 2, 3, 4)
MOST_UNCERTAIN = 2.0
"""The largest uncertainty of a kernel: what the bundled solver was trained with."""


@dataclass(frozen=True)
class Recipe:
    """What to do with a picture. Raises UsageError where a value alone, or two together, cannot be meant; whether the
    methods exist and fit together is for `kfsr.pipeline.check`, which knows them.

    scale: 1 to 4, the factor by which the result is larger. size: of the result, where that is no whole multiple; see
    `kfsr.size` for its forms. The picture is then enlarged by a whole scale and shrunk. kernel_method: an estimator by
    name. kernel_init: what `ikl` starts from. kernel: a file with the kernel, in place of an estimate. trust_kernel:
    take a kernel file that does not say where it comes from as exact. refine: whether the kernel gets its fine form
    through the solver; None leaves it to the method. uncertainty: of the kernel, 0 to 2; None measures it. joint:
    return the picture that `kernelfusion` finds with its kernel. solver: by name. weights: a file for the solver, in
    place of the bundled ones. strength: how far the result goes from bicubic (0) to the solver's picture (1); None
    leaves it to the gate. denoise: how much of the grain that the solver takes away stays away, 0 to 1; None as before.
    seed: of all random numbers. format: of the result's file, by name or ending; None leaves it to the name. quality: 1
    to 100, of lossy formats; None: 95 for JPEG and AVIF, and WebP without loss. strip: leave EXIF and XMP out. page: of
    a TIFF, or frame of an animation, from 1 on; None takes all of a TIFF where the result is one, else the first.
    strict: refuse slightly damaged files. preset: the name of the settings that `settings` began as. settings: every
    number of every stage.
    """

    scale: int = 2
    size: str | None = None
    kernel_method: str = "auto"
    kernel_init: str = "spectral"
    kernel: Path | None = None
    trust_kernel: bool = False
    refine: bool | None = None
    uncertainty: float | None = None
    joint: bool = False
    solver: str = "unrolled"
    weights: Path | None = None
    strength: float | None = None
    denoise: float | None = None
    seed: int = 0
    format: str | None = None
    quality: int | None = None
    strip: bool = False
    page: int | None = None
    strict: bool = False
    preset: str = "balanced"
    settings: Settings = dataclasses.field(default_factory=lambda: PRESETS["balanced"])

    def __post_init__(self) -> None:
        if isinstance(self.scale, bool) or self.scale not in SCALES:
            raise UsageError(f"scale {self.scale} is not supported; use one of {', '.join(map(str, SCALES))}")
        if self.size is not None:
            Size.parse(self.size)
        if self.uncertainty is not None and not 0 <= self.uncertainty <= MOST_UNCERTAIN:
            raise UsageError(f"uncertainty {self.uncertainty} is not between 0 and {MOST_UNCERTAIN:g}")
        for name in ("strength", "denoise"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise UsageError(f"{name} {value} is not between 0 and 1")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed {self.seed} is not between 0 and 2**63 - 1")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise UsageError(f"quality {self.quality} is not between 1 and 100")
        if self.page is not None and self.page < 1:
            raise UsageError(f"pages count from 1, there is no page {self.page}")
        if self.kernel is not None:
            for name, default in (("kernel_method", "auto"), ("kernel_init", "spectral")):
                if getattr(self, name) != default:
                    raise UsageError(f"{option('kernel')} gives the kernel, but {option(name)} is for finding one")
        elif self.trust_kernel:
            raise UsageError(f"{option('trust_kernel')} needs a kernel file; name it with --kernel")

    @classmethod
    def make(cls, base: Recipe | None = None, **choices: Any) -> Recipe:
        """The `base` (None: the defaults) with these fields changed; a choice of None counts as not made.

        A `preset` brings its settings along, unless `settings` are chosen as well. A `scale` like 1.5 becomes the next
        whole one and a `size`, and takes the place of a size in the base, as a `size` does of a scale. Raises
        UsageError for a name that is no field, an unknown preset, and what the class itself refuses.
        """
        if base is not None and not isinstance(base, cls):
            raise UsageError(f"{base!r} is not a recipe; name what you choose, like scale=4")
        chosen = {name: value for name, value in choices.items() if value is not None}
        fields = {one.name for one in dataclasses.fields(cls)}
        for name in chosen:
            if name not in fields:
                raise UsageError(f"there is no choice {name!r}{_near(name, fields)}")
        if "scale" in chosen and "size" in chosen:
            raise UsageError("a scale and a size are given; leave one of them out")
        if "scale" in chosen:
            chosen |= _whole(chosen["scale"])
        if "preset" in chosen:
            chosen = {"settings": preset_named(chosen["preset"])} | chosen
        return dataclasses.replace(base or cls(), **chosen)

    @classmethod
    def from_toml(cls, path: Path) -> Recipe:
        """The recipe in a file: any of the fields, and under `[settings]` any of the preset's numbers.

        Raises InputError, naming the file, for one that cannot be read, an unknown name or a value of another type;
        UsageError as `make` does.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: the recipe cannot be read ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not a recipe ({error}); `kfsr recipe` prints one") from error
        try:
            numbers = table.pop("settings", {})
            plain = _filled(cls(), table, "")
            settings = _filled(preset_named(plain.preset), numbers, "settings.")
            return dataclasses.replace(plain, settings=settings)
        except (InputError, UsageError) as error:
            raise InputError(f"{path}: {error}") from error

    def fitted(self, width: int, height: int) -> tuple[Recipe, tuple[int, int] | None]:
        """For a picture of that size: the recipe with the whole scale that it is enlarged by, and the size that the
        result is shrunk to then, None where it is that already. UsageError where no scale leads there."""
        if self.size is None:
            return self, None
        wanted = Size.parse(self.size)
        whole, final = wanted.scale_of(width, height), wanted.of(width, height)
        recipe = dataclasses.replace(self, scale=whole, size=None)
        return recipe, None if final == (whole * width, whole * height) else final

    def work(self) -> Recipe:
        """What is left to do once the recipe is found sound and its kernel is read: with strength 0 no kernel is found
        and nothing is solved; else all of it."""
        if self.strength != 0:
            return self
        plain: dict[str, Any] = {"kernel_method": "bicubic", "solver": "bicubic", "refine": False, "joint": False}
        return dataclasses.replace(self, kernel=None, trust_kernel=False, **plain)

    def as_dict(self) -> dict[str, Any]:
        """All fields as plain values, ready for JSON or TOML; what is None is left out."""
        plain: dict[str, Any] = _plain(self)
        return plain

    def to_toml(self) -> str:
        """The whole recipe as the text of a file that `from_toml` reads."""
        import tomli_w

        return tomli_w.dumps(self.as_dict())

    def digest(self, *more: str) -> str:
        """SHA-256, in hexadecimal, of all that decides a result beside the pictures: the fields, the contents of the
        files named, this version, and whatever `more` the caller knows. Raises InputError for a missing file."""
        contents = {name: _digest_of_file(path) for name in ("kernel", "weights") if (path := getattr(self, name))}
        values = [kfsr.__version__, self.as_dict() | contents, list(more)]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def preset_named(name: str) -> Settings:
    """The settings of that preset; UsageError lists the names there are."""
    if name not in PRESETS:
        raise UsageError(f"there is no preset {name!r}; use one of {', '.join(PRESETS)}")
    return PRESETS[name]


def option(field: str) -> str:
    """A field as the command line calls it."""
    return "--" + field.replace("_", "-")


def _whole(scale: Any) -> dict[str, Any]:
    """The fields for a scale: itself, or for one like 1.5 the next whole scale and the size."""
    if not isinstance(scale, float):
        return {"scale": scale, "size": None}
    if scale.is_integer():
        return {"scale": int(scale), "size": None}
    if not 1 < scale < MOST:
        raise UsageError(f"scale {scale:g} is not supported; use one from {min(SCALES)} to {MOST}")
    return {"scale": math.ceil(scale), "size": f"{scale:g}"}


def _near(name: str, known: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


def _digest_of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the name") from error


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((one.name, getattr(value, one.name)) for one in dataclasses.fields(value))
        return {name: _plain(one) for name, one in pairs if one is not None}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _filled(base: Any, table: Mapping[str, Any], where: str) -> Any:
    """The dataclass value `base` with what the table says; InputError for names and types that do not fit."""
    if not isinstance(table, Mapping):
        raise InputError(f"{where.rstrip('.')} is a table of numbers, not {table!r}")
    hints = typing.get_type_hints(type(base))
    changed = {}
    for name, value in table.items():
        if name not in hints or (name == "settings" and not where):
            raise InputError(f"there is no {where}{name}{_near(name, hints)}")
        changed[name] = _converted(getattr(base, name), hints[name], value, f"{where}{name}")
    return dataclasses.replace(base, **changed)


def _converted(now: Any, hint: Any, value: Any, name: str) -> Any:
    """`value` of a TOML file as the type of a field whose present value is `now`."""
    if isinstance(hint, types.UnionType):
        hint = next(one for one in typing.get_args(hint) if one is not type(None))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _filled(hint() if now is None else now, value, f"{name}.")
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        inner = typing.get_args(hint)
        if inner[-1] is not Ellipsis and len(value) != len(inner):
            raise InputError(f"{name} takes {len(inner)} values, not {len(value)}")
        of = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_converted(None, one, item, name) for one, item in zip(of, value, strict=True))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if type(value) is not hint:
        wanted = getattr(hint, "__name__", str(hint))
        raise InputError(f"{name} is of type {wanted}, not {value!r}")
    return value
