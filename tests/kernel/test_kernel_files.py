"""Kernels through files, in and out, and every way a file can be wrong."""

import io
import os
import pickle
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image as PilImage

from kfsr.errors import InputError, KfsrError, OutputError, UsageError
from kfsr.kernel import (
    Kernel,
    Provenance,
    bicubic_kernel,
    box_kernel,
    from_div2krk,
    gaussian_kernel,
    kernel_bytes,
    load_kernel,
    plot_kernel,
    save_kernel,
    to_kernelgan,
)
from kfsr.kernel.random import random_blur

COVARIANCE = np.array([[3.0, 1.1], [1.1, 1.6]])
KERNELS = Path(__file__).parents[3] / "shared" / "bench" / "div2krk"


def lopsided(scale: int, size: int) -> Kernel:
    k = np.random.default_rng(size).random((size, size)) ** 3
    return Kernel(k / k.sum(), scale, Provenance("estimated", "ikl", ("a.png", "b.png"), 0.2))


@pytest.fixture(autouse=True)
def no_surprising_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mat", ".NPZ"])
@pytest.mark.parametrize(("scale", "size"), [(1, 1), (1, 129), (2, 16), (3, 25), (3, 129), (4, 32), (4, 128)])
def test_round_trip(suffix: str, scale: int, size: int, tmp_path: Path) -> None:
    kernel = lopsided(scale, size)
    path = tmp_path / f"k{suffix}"
    save_kernel(kernel, path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*it spreads over more")  # no blur is as wide as the widest of these
        back = load_kernel(str(path), scale)
    np.testing.assert_allclose(back.array, kernel.array, atol=1e-15)
    assert back.size == kernel.size
    assert back.scale == scale
    assert back.method == ("file" if suffix == ".npy" else "ikl")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_npy_is_the_bare_canonical_array(tmp_path: Path) -> None:
    kernel = lopsided(2, 16)
    np.testing.assert_array_equal(np.load(io.BytesIO(kernel_bytes(kernel, ".npy"))), kernel.array)


def test_mat_is_what_kernelgan_and_zssr_read(tmp_path: Path) -> None:
    save_kernel(lopsided(4, 24), tmp_path / "k.mat")
    stored = scipy.io.loadmat(tmp_path / "k.mat")
    np.testing.assert_array_equal(stored["Kernel"], to_kernelgan(lopsided(4, 24)))
    assert stored["scale"].item() == 4


@pytest.mark.parametrize("scale", [2, 4])
def test_foreign_mat_is_centred(scale: int, tmp_path: Path) -> None:
    # KernelGAN's own output: centred for `correlate`, and nothing but the array.
    ours = gaussian_kernel(COVARIANCE, scale, 24)
    scipy.io.savemat(tmp_path / "kernelgan.mat", {"Kernel": to_kernelgan(ours)})
    loaded = load_kernel(tmp_path / "kernelgan.mat", scale)
    np.testing.assert_allclose(loaded.array, ours.resized(loaded.size).array, atol=1e-9)
    # DIV2KRK's: the mass anywhere near the middle.
    rows, cols = np.mgrid[:25, :25] - 12.0
    stored = np.exp(-((rows - 0.7) ** 2) / 4 - (cols + 0.4) ** 2 / 6)
    scipy.io.savemat(tmp_path / "div2krk.mat", {"Kernel": stored / stored.sum()})
    kernel = load_kernel(tmp_path / "div2krk.mat", scale)
    np.testing.assert_allclose(kernel.centre, (0, 0), atol=1e-3)
    np.testing.assert_allclose(kernel.covariance, np.diag([2, 3]), atol=0.01)


@pytest.mark.parametrize("scale", [2, 4])
def test_published_mat(scale: int) -> None:
    path = KERNELS / f"gt_k_x{scale}" / "kernel_24.mat"
    if not path.is_file():
        pytest.skip(f"the DIV2KRK kernel is not in {path}")
    kernel = load_kernel(path, scale)
    np.testing.assert_array_equal(kernel.array, from_div2krk(scipy.io.loadmat(path)["Kernel"], scale).array)


def test_png_is_the_plot_and_cannot_be_loaded(tmp_path: Path) -> None:
    kernel = bicubic_kernel(4)
    path = tmp_path / "k.png"
    save_kernel(kernel, path)
    np.testing.assert_array_equal(np.asarray(PilImage.open(path)), plot_kernel(kernel))
    with pytest.raises(InputError, match=r"k\.png: a picture of a kernel cannot be read back; .*\.npy"):
        load_kernel(path, 4)


def test_parity_is_repaired(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", gaussian_kernel(COVARIANCE, 3, 25).array)
    with pytest.warns(UserWarning, match="25x25 is no kernel for scale 2"):
        kernel = load_kernel(tmp_path / "k.npy", 2)
    assert kernel.size == 26
    np.testing.assert_allclose(kernel.covariance, COVARIANCE, atol=0.05)
    np.testing.assert_allclose(kernel.centre, (0, 0), atol=1e-3)


def test_an_array_for_another_scale_that_fits_is_told_by_its_spread(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", gaussian_kernel(np.diag([16.0, 14.0]), 4, 34).array)
    with pytest.warns(UserWarning, match="it spreads over more than kernels for scale 2 usually do") as seen:
        load_kernel(tmp_path / "k.npy", 2)
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_kernel(tmp_path / "k.npy", 4)
        load_kernel(tmp_path / "k.npy", 2, trusted=True)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_kernels_as_there_are_spread_over_no_more_than_kernels_do(scale: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    kernels = [random_blur(scale, 20 + scale, rng).sample(scale, 20 + scale) for _ in range(40)] if scale > 1 else []
    for kernel in (*kernels, bicubic_kernel(scale), box_kernel(scale)):
        np.save(tmp_path / "k.npy", kernel.array)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            load_kernel(tmp_path / "k.npy", scale)
        assert not [one for one in seen if "it spreads" in str(one.message)]


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mat"])
@pytest.mark.parametrize(("factor", "warned"), [(1.009, False), (1.02, True), (0.98, True), (255, True)])
def test_wrong_sum_is_mended_with_a_warning(suffix: str, factor: float, warned: bool, tmp_path: Path) -> None:
    # KernelGAN's arrays have an odd side at every scale.
    array = gaussian_kernel(COVARIANCE, *((1, 25) if suffix == ".mat" else (2, 24))).array
    path = tmp_path / f"k{suffix}"
    if suffix == ".npy":
        np.save(path, array * factor)
    elif suffix == ".npz":
        np.savez(path, kernel=array * factor, scale=2)
    else:
        scipy.io.savemat(path, {"Kernel": array * factor})
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        kernel = load_kernel(path, 2)
    assert kernel.array.sum() == pytest.approx(1)
    assert [str(w.message) for w in seen] == (
        [f"{path}: the kernel sums to {factor:.4g}; it was divided by that"] if warned else []
    )
    assert all(w.category is UserWarning and w.filename == __file__ for w in seen)


def npy(array: object, **options: bool) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(array), **options)
    return out.getvalue()


def npz(**arrays: object) -> bytes:
    out = io.BytesIO()
    np.savez(out, **{key: np.asarray(value) for key, value in arrays.items()})
    return out.getvalue()


def mat(**values: object) -> bytes:
    out = io.BytesIO()
    scipy.io.savemat(out, values)
    return out.getvalue()


class Trap:
    """Unpickling this writes a file."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("unpickled",)


GOOD = np.full((4, 4), 1 / 16)
NAN = np.where(np.eye(4) > 0, np.nan, 1.0)
ZERO = np.diff(np.eye(5), axis=0)[:, :4] * 0 + np.array([[1.0, -1, 1, -1]])
HUGE_HEADER = npy(np.ones((4, 4))).replace(b"(4, 4), }", b"(9999999, 9999999), }")
LONG_HEADER = npy(np.ones((4, 4))).replace(b"(4, 4), }", b"(129, 129), }")
BOMB = io.BytesIO()
with zipfile.ZipFile(BOMB, "w", zipfile.ZIP_DEFLATED) as _archive:
    _archive.writestr("kernel.npy", npy(GOOD) + bytes(2**24))

MALFORMED = {
    "pickled npy": (".npy", npy(np.array([Trap()], dtype=object), allow_pickle=True), "Python objects"),
    "bare pickle": (".npy", pickle.dumps(Trap()), "not a complete .npy file"),
    "text as npy": (".npy", b"0.1 0.2\n0.3 0.4\n", "not a complete .npy file"),
    "empty npy": (".npy", b"", "not a complete .npy file"),
    "cut npy": (".npy", npy(GOOD)[:-9], "not a complete .npy file"),
    "cut header": (".npy", npy(GOOD)[:40], "not a complete .npy file"),
    "npz as npy": (".npy", npz(kernel=GOOD), "not a complete .npy file"),
    "promised huge": (".npy", HUGE_HEADER, "at most 129 px"),
    "promised more than there is": (".npy", LONG_HEADER, "not a complete .npy file"),
    "vector": (".npy", npy(np.ones(9) / 9), "2-D"),
    "cube": (".npy", npy(np.ones((3, 3, 3)) / 27), "2-D"),
    "scalar": (".npy", npy(1.0), "2-D"),
    "nothing": (".npy", npy(np.ones((0, 4))), "2-D"),
    "nan": (".npy", npy(NAN), "NaN"),
    "zero sum": (".npy", npy(ZERO), "sums to zero"),
    "too large": (".npy", npy(np.ones((130, 130))), "130x130; at most 129 px"),
    "complex": (".npy", npy(GOOD * 1j), "complex128 values"),
    "words": (".npy", npy([["a", "b"], ["c", "d"]]), "values; a kernel is real numbers"),
    "a photograph": (".npy", bytes(9 * 2**20), "too large"),
    "npz for another scale": (".npz", npz(kernel=GOOD, scale=4), "made for scale 4, not 2; use --scale 4"),
    "npz with an odd scale": (".npz", npz(kernel=GOOD, scale=[2, 3]), "not one whole number"),
    "npz with scale 2.5": (".npz", npz(kernel=GOOD, scale=2.5), "not one whole number"),
    "npz with scale nan": (".npz", npz(kernel=GOOD, scale=np.nan), "not one whole number"),
    "npz of unknown convention": (".npz", npz(kernel=GOOD, convention="left-handed"), "'left-handed'"),
    "npz without kernel": (".npz", npz(k=GOOD), "no array named 'kernel'"),
    "npz with nan": (".npz", npz(kernel=NAN, scale=2), "NaN"),
    "npz with objects": (".npz", npz(kernel=np.array([Trap()], dtype=object)), "Python objects"),
    "npz bomb": (".npz", BOMB.getvalue(), "too large"),
    "cut npz": (".npz", npz(kernel=GOOD, scale=2)[:-30], "not a complete .npz file"),
    "damaged npz": (".npz", npz(kernel=GOOD).replace(GOOD.tobytes(), b"?" * 128), "not a complete .npz file"),
    "npy as npz": (".npz", npy(GOOD), "not a complete .npz file"),
    "mat without Kernel": (".mat", mat(kernel=GOOD, x=1), "no variable named Kernel; it has: kernel, x"),
    "mat of text": (".mat", b"hello, this is not a kernel\n" * 20, "not a MATLAB file"),
    "empty mat": (".mat", b"", "not a MATLAB file"),
    "cut mat": (".mat", mat(Kernel=np.ones((11, 11)))[:-300], "damaged MATLAB file"),
    "mat with nan": (".mat", mat(Kernel=NAN), "NaN"),
    "mat with zero sum": (".mat", mat(Kernel=ZERO), "sums to zero"),
    "mat too large": (".mat", mat(Kernel=np.ones((140, 140))), "140x140; at most 129 px"),
    "mat with a cell": (".mat", mat(Kernel=np.array([[GOOD, 1]], dtype=object)), "a kernel is real numbers"),
    "mat with complex numbers": (".mat", mat(Kernel=GOOD * 1j), "a kernel is real numbers"),
    "mat with text": (".mat", mat(Kernel="abc"), "a kernel is real numbers"),
    "mat for another scale": (".mat", mat(Kernel=GOOD, scale=3), "made for scale 3, not 2"),
    "mat of unknown convention": (".mat", mat(Kernel=GOOD, convention="odd"), "'odd' is unknown"),
    "MATLAB 7.3": (".mat", b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n", "-v7"),
    "unknown ending": (".txt", b"", r"'?\.txt'? is not a kernel file; use \.npy, \.npz, \.mat"),
    "no ending": ("", b"", "without an ending"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_files_are_named_in_one_line(case: str, tmp_path: Path, monkeypatch) -> None:
    suffix, content, message = MALFORMED[case]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load_kernel(path, 2)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "unpickled").exists()


def test_the_trap_would_have_worked(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Trap()))
    assert (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mat"])
def test_damaged_anywhere_still_one_line(suffix: str, tmp_path: Path) -> None:
    good = kernel_bytes(lopsided(2, 4), suffix)
    random = np.random.default_rng(1)
    path = tmp_path / f"k{suffix}"
    for _ in range(300):
        data = bytearray(good)
        for at in random.integers(0, len(data), random.integers(1, 4)):
            data[at] = random.integers(0, 256)
        path.write_bytes(data[: random.integers(len(data) // 2, len(data) + 1)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                kernel = load_kernel(path, 2)
            except KfsrError as error:
                assert str(error).startswith(f"{path}: ")
                assert "\n" not in str(error)
            else:
                assert kernel.array.sum() == pytest.approx(1)


def test_compressed_mat(tmp_path: Path) -> None:
    path = tmp_path / "k.mat"
    ours = gaussian_kernel(COVARIANCE, 2, 24)
    scipy.io.savemat(path, {"Kernel": to_kernelgan(ours), "convention": "kernelgan"}, do_compression=True)
    np.testing.assert_allclose(load_kernel(path, 2).array, ours.array, atol=1e-15)
    scipy.io.savemat(path, {"Kernel": to_kernelgan(ours)}, do_compression=True)
    data = path.read_bytes()
    # Without its checksum, and with a wrong one.
    size = int.from_bytes(data[132:136], "little")
    cut = data[:132] + (size - 4).to_bytes(4, "little") + data[136:-4]
    for bad in (cut, data[:-1] + bytes([data[-1] ^ 1])):
        path.write_bytes(bad)
        with pytest.raises(InputError, match=r"k\.mat: is a damaged MATLAB file"):
            load_kernel(path, 2)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.npy: there is no such file"):
        load_kernel(tmp_path / "none.npy", 2)
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(InputError, match=r"folder\.npy: cannot be read"):
        load_kernel(tmp_path / "folder.npy", 2)
    with pytest.raises(UsageError, match="scale 7"):
        load_kernel(tmp_path / "none.npy", 7)


def test_saving_where_it_cannot_be(tmp_path: Path) -> None:
    kernel = bicubic_kernel(2)
    with pytest.raises(UsageError, match=r"k\.tiff: \.tiff is not a kernel file; use .*\.png"):
        save_kernel(kernel, tmp_path / "k.tiff")
    with pytest.raises(UsageError, match="without an ending is not"):
        kernel_bytes(kernel, "")
    with pytest.raises(OutputError, match=r"k\.npy: .*folder"):
        save_kernel(kernel, tmp_path / "absent" / "k.npy")
    assert list(tmp_path.iterdir()) == []


def test_saving_replaces_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "k.npy"
    path.write_bytes(b"old")
    save_kernel(bicubic_kernel(2), path)
    assert load_kernel(path, 2).size == 8


def test_loading_kernels_needs_neither_torch_nor_pillow() -> None:
    code = "import sys, kfsr.kernel; print([m for m in ('torch', 'PIL') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
