"""A lens as a value and as a file: its field of kernels, the size of its pictures, and how they were taken."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kfsr.errors import InputError, UsageError
from kfsr.files import write_bytes
from kfsr.kernel.field import KernelField
from kfsr.kernel.files import CONVENTION, load_kernel
from kfsr.kernel.provenance import UNKNOWN, Provenance
from kfsr.kernel.shot import Shot
from kfsr.kernel.value import Kernel

OWN_LENS = "lens"
"""The method of a lens that was found in one of its photographs."""

_MAX_BYTES = 256 * 2**20


@dataclass(frozen=True, eq=False)
class Lens:
    """field: its kernels, of scale 1. size: (width, height) of the whole frame. shot: the camera's settings.
    provenance: where it comes from. at: (row, column) of the frame at which the pictures that it is used for begin, if
    they were cut from it; None for whole pictures. Raises InputError for a frame of fewer pixels than cells."""

    field: KernelField
    size: tuple[int, int]
    shot: Shot = Shot()  # noqa: RUF009 - frozen
    provenance: Provenance = UNKNOWN
    at: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        rows, cols = self.field.array.shape[:2]
        if self.field.scale != 1:
            raise InputError(f"a lens's kernels are for scale 1, not {self.field.scale}")
        if self.size[0] < cols or self.size[1] < rows:
            raise InputError(f"a frame of {self.size[0]}x{self.size[1]} px has fewer pixels than the field has cells")

    @property
    def scale(self) -> int:
        """1."""
        return self.field.scale

    @property
    def typical(self) -> Kernel:
        """The mean kernel over places and colours: what is told of the lens where one kernel is asked for."""
        return Kernel.from_array(self.field.array.mean((0, 1, 2)), self.scale, self.provenance)

    def placed(self, at: tuple[int, int]) -> Lens:
        """The lens for pictures that were cut from the frame at (row, column)."""
        return replace(self, at=at)

    def frame_of(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Where a picture lies, as `solvers.frame.Frame`. InputError where it is not the frame's and does not say, or
        does not lie in it."""
        if self.at is None and (width, height) != self.size:
            turned = "; it is turned: turn it as the lens's pictures were" if (height, width) == self.size else ""
            raise InputError(
                f"the picture is {width}x{height} px, the lens was measured on {self.size[0]}x{self.size[1]}"
                f"{turned or '; a part cut out of such a picture needs its place, --at ROW,COLUMN'}"
            )
        row, col = self.at or (0, 0)
        if min(row, col) < 0 or row + height > self.size[1] or col + width > self.size[0]:
            raise InputError(
                f"a part of {width}x{height} px at row {row}, column {col} does not lie in a frame of "
                f"{self.size[0]}x{self.size[1]}; correct --at"
            )
        return row, col, self.size[1], self.size[0]


def save_lens(lens: Lens, path: Path | str) -> None:
    """Write the lens as `.npz`, whole or not at all: `field`, `scale`, `size`, `shot` and `provenance` (JSON). Raises
    UsageError for another ending, OutputError when the file cannot be written."""
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise UsageError(f"{path}: a field of kernels is kept in a .npz file; name it so")
    out = io.BytesIO()
    np.savez_compressed(
        out,
        field=lens.field.array,
        scale=lens.scale,
        convention=CONVENTION,
        size=np.array(lens.size),
        shot=json.dumps(asdict(lens.shot)),
        provenance=lens.provenance.as_text(),
    )
    write_bytes(path, out.getvalue())


def load_lens(path: Path | str) -> Lens:
    """The lens in a file that `save_lens` wrote. InputError, with the file's name, for any other. Never unpickles."""
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}: too large for a lens; choose another file")
        with np.load(path, allow_pickle=False) as parts:
            if str(parts["convention"]) != CONVENTION:
                raise InputError(f"{path}: its convention is unknown to this version; measure the lens again")
            said: dict[str, Any] = json.loads(str(parts["shot"]))
            width, height = (int(one) for one in parts["size"])
            return Lens(
                KernelField(parts["field"], int(parts["scale"])),
                (width, height),
                Shot(**said),
                Provenance.from_text(str(parts["provenance"])),
            )
    except InputError as error:
        raise error if str(path) in str(error) else InputError(f"{path}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: not a complete lens file; measure the lens again with `kfsr kernel`") from error


def load_kernel_or_lens(path: Path | str, scale: int, trusted: bool = False) -> Kernel | Lens:
    """What a file for `--kernel` holds: a kernel (`load_kernel`, which says the errors), or a lens at scale 1."""
    path = Path(path)
    if path.suffix.lower() == ".npz" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if "field.npy" in archive.namelist():
                if scale != 1:
                    raise InputError(f"{path}: a lens's field of kernels is for scale 1; use `kfsr deblur`")
                return load_lens(path)
    return load_kernel(path, scale, trusted)
