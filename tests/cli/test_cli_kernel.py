"""`kfsr kernel`: where the kernel goes and what is said about it."""

import io
import json

import numpy as np
import PIL.Image
import pytest
from process import kfsr_run

import kfsr
from kfsr.kernel import Provenance, gaussian_kernel, load_kernel
from kfsr.kernel.facts import kernel_facts

METHOD = ("--method", "spectral")


def test_the_kernel_lies_beside_the_picture(photos):
    done = kfsr_run(photos, "kernel", "face.png", *METHOD).ok()
    assert done.stdout == b""
    array = load_kernel(photos / "face_kernel.npz", 2).array
    assert array.sum() == pytest.approx(1)
    assert done.stderr.startswith("face.png -> face_kernel.npz: spectral, ")
    photo = np.asarray(PIL.Image.open(photos / "face.png"))
    expected = kfsr.estimate_kernel(photo, kernel_method="spectral")
    assert np.allclose(array, expected.array, atol=1e-6)


def test_on_stdout_it_is_the_same_array(photos):
    kfsr_run(photos, "kernel", "cat.jpg", "-s", "3", "-o", "k.npy", *METHOD).ok()
    done = kfsr_run(photos, "kernel", "-", "-s", "3", *METHOD, stdin=(photos / "cat.jpg").read_bytes()).ok()
    assert np.array_equal(np.load(io.BytesIO(done.stdout)), np.load(photos / "k.npy"))


def test_other_forms_and_a_plot(photos):
    kfsr_run(photos, "kernel", "face.png", "-o", "k.npz", "--plot", "plot.png", *METHOD).ok()
    kfsr_run(photos, "kernel", "face.png", "-o", "k.mat", *METHOD).ok()
    npz, mat = load_kernel(photos / "k.npz", 2), load_kernel(photos / "k.mat", 2)
    assert npz.method == "spectral"
    assert mat.trace == pytest.approx(npz.trace, rel=1e-3)
    assert min(PIL.Image.open(photos / "plot.png").size) > 200


def test_json_alone_writes_no_file(photos):
    before = sorted(photos.iterdir())
    done = kfsr_run(photos, "kernel", "face.png", "--json", "-q", *METHOD).ok()
    assert done.stderr == ""
    record = json.loads(done.stdout)
    assert record["output"] is None
    assert record["status"] == "done"
    assert len(record["kernel"]["covariance"]) == 2
    assert record["kernel"]["axes"][0] >= record["kernel"]["axes"][1] > 0
    assert sorted(photos.iterdir()) == before
    kfsr_run(photos, "kernel", "face.png", "--json", "-o", "k.npy", *METHOD).ok()
    assert np.load(photos / "k.npy").shape == (record["kernel"]["size"],) * 2


def test_a_missing_picture(photos):
    done = kfsr_run(photos, "kernel", "missing.png", "--json", *METHOD)
    assert done.status == 4
    assert json.loads(done.stdout)["status"] == "failed"


def test_axes_and_angle_are_those_of_the_gaussian():
    # Long axis 2 px along 30 degrees (right and up, so rows decrease), short axis 1 px.
    angle = np.radians(30)
    along, across = np.array([-np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), np.sin(angle)])
    covariance = 4 * np.outer(along, along) + np.outer(across, across)
    facts = kernel_facts(gaussian_kernel(covariance, 4))
    assert facts["axes"] == pytest.approx([2, 1], abs=0.02)
    assert facts["angle"] == pytest.approx(30, abs=0.5)
    assert facts["centre"] == pytest.approx([0, 0], abs=1e-9)


def test_the_method_is_auto_unless_the_user_says(photos):
    done = kfsr_run(photos, "kernel", "face.png", "-s", "2", "-p", "fast", "--json", "-q").ok()
    record = json.loads(done.stdout)
    assert record["kernel_method"] == "auto"
    assert record["kernel"]["method"] in ("spectral", "edges", "bicubic")


def test_edges_is_a_method(photos):
    kfsr_run(photos, "kernel", "face.png", "--method", "edges", "-o", "k.npz", "-q").ok()
    assert load_kernel(photos / "k.npz", 2).method == "edges"


def test_a_kernel_says_which_pictures_it_is_of(photos):
    """Its file and its record; also one for all, and one that was saved beside a result."""

    def origin(path):
        return load_kernel(photos / path, 2).provenance

    done = kfsr_run(photos, "kernel", "face.png", "-o", "one.npz", *METHOD, "--json").ok()
    assert origin("one.npz").pictures == ("face.png",)
    assert origin("one.npz").uncertainty > 0
    said = json.loads(done.stdout)["kernel"]["provenance"]
    assert (said["source"], said["method"], said["pictures"]) == ("estimated", "spectral", ["face.png"])
    kfsr_run(photos, "kernel", "face.png", "gray.png", "--shared", "-o", "both.npz", *METHOD).ok()
    assert origin("both.npz").pictures == ("face.png", "gray.png")
    made = ("upscale", "face.png", "-o", "big.png", "--solver", "bicubic")
    kfsr_run(photos, *made, "--save-kernel", "own.npz", "--kernel-method", "spectral").ok()
    assert origin("own.npz").pictures == ("face.png",)
    kfsr_run(photos, *made, "--save-kernel", "used.npz", "--kernel", "both.npz").ok()
    assert origin("used.npz") == origin("both.npz")


def test_many_names_are_a_number():
    few, many = ([f"{n}.png" for n in range(count)] for count in (20, 21))
    assert Provenance("estimated", "ikl").of_pictures(few).pictures == tuple(few)
    assert Provenance("estimated", "ikl").of_pictures(many).pictures == 21
