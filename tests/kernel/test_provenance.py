"""Where a kernel comes from: said by the value, kept in files, an estimate wherever nobody says."""

import copy
import io
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from skimage import data

import kfsr
from kfsr.errors import UsageError
from kfsr.kernel import (
    GIVEN,
    UNKNOWN,
    Kernel,
    Provenance,
    bicubic_kernel,
    box_kernel,
    from_div2krk,
    gaussian_kernel,
    load_kernel,
    resize_kernel,
    save_kernel,
)

ESTIMATE = Provenance("estimated", "ikl", ("photo.jpg", "naïve \udcff.png"), 0.25)


def some_kernel(provenance: Provenance = GIVEN) -> Kernel:
    k = np.random.default_rng(0).random((16, 16)) ** 3
    return Kernel(k / k.sum(), 2, provenance)


@pytest.mark.parametrize(
    ("kernel", "method"),
    [
        (some_kernel(), "given"),
        (bicubic_kernel(2), "bicubic"),
        (bicubic_kernel(1), "bicubic"),
        (box_kernel(2), "box"),
        (gaussian_kernel(np.eye(2), 2), "gaussian"),
        (from_div2krk(np.eye(11) / 11, 2), "div2krk"),
    ],
)
def test_kernels_made_in_python_are_given(kernel: Kernel, method: str) -> None:
    assert kernel.provenance == Provenance("given", method)
    assert (kernel.method, kernel.estimated) == (method, False)


def test_an_estimate_and_an_unknown_one_are_not_trusted() -> None:
    assert some_kernel(ESTIMATE).estimated
    assert some_kernel(UNKNOWN).estimated


def test_a_stamped_kernel_is_the_same_kernel_of_another_origin() -> None:
    kernel = some_kernel()
    stamped = kernel.stamped(ESTIMATE)
    assert (stamped.provenance, kernel.provenance) == (ESTIMATE, GIVEN)
    assert np.array_equal(stamped.array, kernel.array)


def test_changed_kernels_keep_their_origin() -> None:
    kernel = some_kernel(ESTIMATE)
    assert kernel.resized(20).provenance == ESTIMATE
    assert resize_kernel(kernel, 1.3).provenance == ESTIMATE
    assert resize_kernel(gaussian_kernel(np.eye(2) * 2, 2).stamped(ESTIMATE), 1.3).provenance == ESTIMATE
    assert Kernel.from_array(np.ones((5, 5)), 2, ESTIMATE).provenance == ESTIMATE


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda k: pickle.loads(pickle.dumps(k))])
def test_copies_are_read_only_too(copied) -> None:
    kernel = some_kernel(ESTIMATE)
    again = copied(kernel)
    assert (again.scale, again.provenance) == (2, ESTIMATE)
    assert np.array_equal(again.array, kernel.array)
    with pytest.raises(ValueError, match="read-only"):
        again.array[0, 0] = 9


@pytest.mark.parametrize(
    "values",
    [
        ("guessed", "ikl"),
        ("given", 3),
        ("estimated", "ikl", -1),
        ("estimated", "ikl", True),
        ("estimated", "ikl", ("a", 1)),
        ("estimated", "ikl", 1, float("nan")),
        ("estimated", "ikl", 1, -0.1),
        ("estimated", "ikl", 1, "much"),
    ],
    ids=str,
)
def test_no_provenance(values) -> None:
    with pytest.raises(UsageError, match="provenance"):
        Provenance(*values)


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
@pytest.mark.parametrize("origin", [ESTIMATE, Provenance("estimated", "edges", 3), GIVEN, UNKNOWN], ids=str)
def test_files_say_where_their_kernel_comes_from(suffix: str, origin: Provenance, tmp_path: Path) -> None:
    path = tmp_path / f"k{suffix}"
    save_kernel(some_kernel(origin), path)
    assert load_kernel(path, 2).provenance == origin
    # Trust is for files that do not say; what says that it is an estimate stays one.
    trusted = load_kernel(path, 2, trusted=True).provenance
    assert trusted == (replace(UNKNOWN, source="given") if origin == UNKNOWN else origin)


def test_files_that_do_not_say(tmp_path: Path) -> None:
    save_kernel(some_kernel(), tmp_path / "k.npy")
    np.savez(tmp_path / "k.npz", kernel=some_kernel().array)
    scipy.io.savemat(tmp_path / "k.mat", {"Kernel": np.ones((11, 11)) / 121})
    for path in sorted(tmp_path.iterdir()):
        kernel = load_kernel(path, 2)
        assert kernel.provenance == UNKNOWN
        assert kernel.estimated
        assert not load_kernel(path, 2, trusted=True).estimated


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
@pytest.mark.parametrize(("method", "source"), [("ikl", "estimated"), ("edges", "estimated"), ("bicubic", "unknown")])
def test_files_of_earlier_versions(suffix: str, method: str, source: str, tmp_path: Path) -> None:
    array, path = some_kernel().array, tmp_path / f"k{suffix}"
    if suffix == ".npz":
        np.savez(path, kernel=array, scale=2, method=method)
    else:
        scipy.io.savemat(path, {"Kernel": array, "scale": 2, "method": method, "convention": "kernelgan"})
    assert load_kernel(path, 2).provenance == Provenance(source, method)


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[]", "{}", "[" * 100_000, json.dumps(ESTIMATE.as_dict() | {"source": "heaven"}), '{"source": 1}'],
    ids=lambda text: text[:12],
)
def test_what_cannot_be_understood_counts_as_unknown(text: str, tmp_path: Path) -> None:
    out = io.BytesIO()
    np.savez(out, kernel=some_kernel().array, scale=2, provenance=text)
    (tmp_path / "k.npz").write_bytes(out.getvalue())
    assert load_kernel(tmp_path / "k.npz", 2).provenance == UNKNOWN


def test_a_kernel_that_is_too_wide_is_found_out_from_every_file(tmp_path: Path) -> None:
    """An estimate saved as .npy came back as if it had been given, and was no longer tested for ringing."""
    picture = data.astronaut()[0:72, 170:242]
    wide = gaussian_kernel(np.eye(2) * 9.0, 2).stamped(Provenance("estimated", "spectral", 1))
    strengths = []
    for suffix in (".npy", ".npz", ".mat"):
        save_kernel(wide, tmp_path / f"k{suffix}")
        kernel = load_kernel(tmp_path / f"k{suffix}", 2)
        strengths.append(kfsr.upscale(picture, scale=2, kernel=kernel, preset="fast").report.strength)
    assert max(strengths) < 0.7
