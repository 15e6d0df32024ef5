"""Kernels as files: `.npy`, `.npz` and `.mat` both ways, `.png` as a picture to look at."""

from __future__ import annotations

import io
import math
import tokenize
import warnings
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kfsr.errors import InputError, KfsrError, UsageError
from kfsr.kernel.conventions import from_div2krk, from_kernelgan, to_kernelgan
from kfsr.kernel.doubts import doubts
from kfsr.kernel.matlab import read_variables
from kfsr.kernel.provenance import UNKNOWN, Provenance
from kfsr.kernel.value import MAX_SIZE, Kernel, check_scale

CONVENTION = "correlation, K = scale (mod 2), origin at (K - 1)/2"
KERNELGAN = "kernelgan"
# The largest kernel in the widest number type is 0.5 MB; what is much larger is another kind of file.
_MAX_BYTES = 8 * 2**20
# What NumPy raises, between its header's parser and its reader, on bytes that are not an array.
_NPY_ERRORS = (ValueError, EOFError, OSError, TypeError, SyntaxError, KeyError, OverflowError, tokenize.TokenError)
_SUFFIXES = ".npy, .npz, .mat"
# Files from before there was a provenance name their method alone; by these they are estimates.
_EARLY_ESTIMATORS = ("spectral", "ikl", "edges", "kernelfusion")


def load_kernel(path: Path | str, scale: int, trusted: bool = False) -> Kernel:
    """The kernel in a file, for downscaling by `scale`.

    - `.npy`: the array, in the canonical convention (`kfsr.kernel.value`).
    - `.npz`: the same under `kernel`, with `scale`, `convention` and `provenance` as `save_kernel` writes them.
    - `.mat`: key `Kernel`. One that `save_kernel` wrote (it says ``convention = 'kernelgan'``) is taken as it
      is, for ``scipy.ndimage.correlate(x, k)[::s, ::s]``. All others are read by `from_div2krk`: their
      centre of mass is moved to K//2 + (s - 1)/2, which is what DIV2KRK's files need, as they are
      stored before their shift, and which leaves KernelGAN's, already centred there, where they are.

    A kernel whose file does not say where it comes from is of unknown provenance, and so counts as an estimate. With
    `trusted` such a kernel counts as given: the caller vouches for it. An estimate stays an estimate.

    The sum is made 1, a wrong parity is repaired as in `Kernel.from_array`. Warns (UserWarning) when the sum
    was off by more than 1 %, and, unless `trusted`, of a `.npy` whose size, form or spread is not that of a kernel for
    this scale. Raises InputError, one line with the file's name, for anything that is not such
    a kernel, or one for another scale; UsageError for an unknown scale. It never unpickles.
    """
    check_scale(scale)
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".png":
        raise InputError(f"{path}: a picture of a kernel cannot be read back; give the {_SUFFIXES} file instead")
    if suffix not in _READERS:
        raise InputError(f"{path}: {suffix or 'a name without an ending'} is not a kernel file; use {_SUFFIXES}")
    data = _read(path)
    try:
        kernel, total = _READERS[suffix](data, scale)
    except KfsrError as error:
        raise InputError(f"{path}: {error}") from error
    if abs(total - 1) > 0.01:
        warnings.warn(f"{path}: the kernel sums to {total:.4g}; it was divided by that", UserWarning, stacklevel=2)
    if suffix == ".npy" and not trusted:
        told = doubts(np.load(io.BytesIO(data), allow_pickle=False).shape, kernel)
        if told:
            warnings.warn(f"{path}: {'; '.join(told)}", UserWarning, stacklevel=2)
    if trusted and kernel.provenance.source == "unknown":
        return kernel.stamped(replace(kernel.provenance, source="given"))
    return kernel


def save_kernel(kernel: Kernel, path: Path | str) -> None:
    """Write the kernel in the form that the file's ending asks for (see `kernel_bytes`), whole or not at all.

    Raises UsageError for an unknown ending, OutputError when the file cannot be written.
    """
    from kfsr.files import write_bytes

    path = Path(path)
    try:
        data = kernel_bytes(kernel, path.suffix)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    write_bytes(path, data)


def kernel_bytes(kernel: Kernel, suffix: str) -> bytes:
    """What `save_kernel` writes for an ending, for standard output.

    `.npy` the float64 array and nothing else; `.npz` with `kernel`, `scale`, `convention`, `provenance` (JSON), and
    `method` for earlier versions; `.mat` with `Kernel` as KernelGAN and ZSSR read it (`to_kernelgan`) and the others
    beside it; `.png` the picture of `plot_kernel`. Raises UsageError for another ending.
    """
    out = io.BytesIO()
    about: dict[str, Any] = {"scale": kernel.scale, "method": kernel.method, "provenance": kernel.provenance.as_text()}
    match suffix.lower():
        case ".npy":
            np.save(out, kernel.array, allow_pickle=False)
        case ".npz":
            np.savez(out, kernel=kernel.array, convention=CONVENTION, **about)
        case ".mat":
            import scipy.io

            scipy.io.savemat(out, {"Kernel": to_kernelgan(kernel), "convention": KERNELGAN, **about})
        case ".png":
            from kfsr.image import Image, encode_image
            from kfsr.kernel.plot import plot_kernel

            return encode_image(Image.from_array(plot_kernel(kernel)), "PNG")
        case _:
            raise UsageError(f"{suffix or 'a name without an ending'} is not a kernel file; use {_SUFFIXES} or .png")
    return out.getvalue()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file; check the name") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the file") from error
    if len(data) > _MAX_BYTES:
        raise InputError(f"{path}: too large for a kernel (at most {MAX_SIZE} px a side); choose another file")
    return data


def _read_npy(data: bytes, scale: int) -> tuple[Kernel, float]:
    array = _numbers(_npy_array(data, ".npy file"))
    return Kernel.from_array(array, scale, UNKNOWN), float(array.sum())


def _read_npz(data: bytes, scale: int) -> tuple[Kernel, float]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            held = {name.removesuffix(".npy") for name in archive.namelist()}
            if "kernel" not in held:
                raise InputError("has no array named 'kernel'; save it with `kfsr kernel -o FILE.npz`")
            wanted = held & {"kernel", "scale", "convention", "method", "provenance"}
            parts = {
                key: _npy_array(_member(archive, f"{key}.npy"), f"array '{key}'", key == "kernel") for key in wanted
            }
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, OSError, RuntimeError, ValueError) as error:
        raise InputError("is not a complete .npz file; save it again") from error
    _check_scale_of(parts, scale)
    convention = _word(parts, "convention")
    if convention not in (None, CONVENTION):
        raise InputError(f"its convention {convention!r} is unknown to this version; save the array as .npy")
    array = _numbers(parts["kernel"])
    return Kernel.from_array(array, scale, _provenance(parts)), float(array.sum())


def _read_mat(data: bytes, scale: int) -> tuple[Kernel, float]:
    parts = read_variables(data, _MAX_BYTES)
    if "Kernel" not in parts:
        names = ", ".join(ascii(name)[1:-1] for name in sorted(parts)) or "nothing"
        raise InputError(f"holds no variable named Kernel; it has: {names}")
    if not isinstance(parts["Kernel"], np.ndarray):
        raise InputError("its Kernel is not a matrix of plain numbers; a kernel is real numbers")
    _check_shape(parts["Kernel"].shape)
    _check_scale_of(parts, scale)
    array = _numbers(parts["Kernel"])
    convention = _word(parts, "convention")
    if convention not in (None, KERNELGAN):
        raise InputError(f"its convention {convention!r} is unknown to this version; save the array as .npy")
    with np.errstate(all="ignore"):  # Kernel itself refuses NaN and infinity
        total = float(array.sum())
        whole = array / total
    if convention is None:
        # The values are checked before the shift, which would turn NaN and a zero sum into something else.
        Kernel.from_array(array, scale)
        kernel = from_div2krk(whole, scale)
    else:
        kernel = from_kernelgan(whole, scale)
    return kernel.stamped(_provenance(parts)), total


def _provenance(parts: dict[str, Any]) -> Provenance:
    text, method = _word(parts, "provenance"), _word(parts, "method")
    if text is not None:
        return Provenance.from_text(text)
    return Provenance("estimated" if method in _EARLY_ESTIMATORS else "unknown", method or UNKNOWN.method)


def _check_scale_of(parts: dict[str, Any], scale: int) -> None:
    if "scale" not in parts:
        return
    value = np.asarray(parts["scale"])
    if value.size != 1 or value.dtype.kind not in "fiu" or value.item() % 1 != 0:
        raise InputError("its scale is not one whole number; save it again")
    made_for = int(value.item())
    if made_for != scale:
        hint = f"`kfsr upscale` takes it with --scale {made_for}" if scale == 1 else f"use --scale {made_for}"
        raise InputError(f"the kernel was made for scale {made_for}, not {scale}; {hint}")


def _word(parts: dict[str, Any], key: str) -> str | None:
    """The text under a key: None when there is none, or something else."""
    value = np.asarray(parts.get(key, ""))
    return (str(value.item()) or None) if value.size == 1 and value.dtype.kind == "U" else None


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError("is packed in a way that NumPy does not use; save it again with numpy.savez")
    with archive.open(name) as member:
        data = member.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise InputError(f"its {name} is too large for a kernel (at most {MAX_SIZE} px a side)")
    return data


def _npy_array(data: bytes, what: str, is_kernel: bool = True) -> np.ndarray:
    """The array in `.npy` bytes, read only after its header has promised a shape of a kernel's size."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(stream)
        if dtype.hasobject:
            raise InputError("holds Python objects, which are never loaded; save a plain array of numbers")
        if is_kernel:
            _check_shape(shape)
        if math.prod(shape) * dtype.itemsize > len(data):
            raise EOFError
        stream.seek(0)
        return np.asarray(np.load(stream, allow_pickle=False))
    except _NPY_ERRORS as error:
        raise InputError(f"is not a complete {what} of NumPy; save it again with numpy.save") from error


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or 0 in shape:
        raise InputError(f"a kernel is a 2-D array; this one has shape {shape}")
    # A few pixels more than MAX_SIZE: KernelGAN's form of the largest kernel is that much larger.
    if max(shape) > MAX_SIZE + 3:
        raise InputError(f"the kernel is {shape[0]}x{shape[1]}; at most {MAX_SIZE} px are supported")


def _numbers(array: Any) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind not in "fiu":
        raise InputError(f"holds {array.dtype} values; a kernel is real numbers")
    with np.errstate(invalid="ignore", over="ignore"):  # Kernel itself refuses NaN and infinity
        return np.asarray(array, dtype=np.float64)


_READERS = {".npy": _read_npy, ".npz": _read_npz, ".mat": _read_mat}
