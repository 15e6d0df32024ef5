"""`kfsr deblur`, and --scale 1 of the other commands: pictures keep their size, and a sharp one its very bytes."""

import io
import json

import numpy as np
import PIL.Image
import pytest
from process import kfsr_run
from scipy.ndimage import correlate

import kfsr
from kfsr.cli.deblur import NOT_HERE
from kfsr.cli.upscale import FIELDS
from kfsr.estimators import registry as estimators
from kfsr.image import read_image
from kfsr.kernel import Kernel, gaussian_kernel, load_kernel, save_kernel

BLUR = gaussian_kernel(np.array([[1.6, 0.5], [0.5, 0.9]]), 1)
POINT = Kernel(np.ones((1, 1)), 1)

LOOKS_SHARP = """
import numpy as np
from kfsr.estimators.method import Estimator
from kfsr.kernel import Kernel

METHOD = Estimator(
    estimate=lambda problem: Kernel(np.ones((1, 1)), problem.scale),
    seconds=lambda pixels, recipe: 1000.0,
    scales=(1,),
)
"""


@pytest.fixture
def blurred(photos):
    """The photos, soft_face.png as BLUR leaves face.png, and the kernels blur.npz and point.npz."""
    save_kernel(BLUR, photos / "blur.npz")
    save_kernel(POINT, photos / "point.npz")
    sharp = np.asarray(PIL.Image.open(photos / "face.png")).astype(float)
    soft = np.dstack([correlate(sharp[..., c], BLUR.array, mode="mirror") for c in range(3)])
    PIL.Image.fromarray(np.rint(soft).astype(np.uint8)).save(photos / "soft_face.png")
    return photos


@pytest.fixture
def looks_sharp(blurred, monkeypatch):
    """sharp.toml, with a kernel method that takes every picture for sharp."""
    (blurred / "looks_sharp.py").write_text(LOOKS_SHARP)
    monkeypatch.syspath_prepend(blurred)
    monkeypatch.setitem(estimators.METHODS, "looks-sharp", ("looks_sharp", "every picture is sharp"))
    (blurred / "sharp.toml").write_text('kernel_method = "looks-sharp"\n')
    return blurred


def levels(source):
    return np.asarray(PIL.Image.open(source)).astype(float)


def test_a_blur_that_is_known_is_undone_at_the_pictures_size(blurred):
    done = kfsr_run(blurred, "deblur", "soft_face.png", "--kernel", "blur.npz", "--strength", "1").ok()
    assert done.stderr.startswith("soft_face.png -> soft_face_sharp.png: 80x64, your kernel")
    truth, soft, result = (levels(blurred / f"{name}.png") for name in ("face", "soft_face", "soft_face_sharp"))
    before, after = (np.square(one - truth)[8:-8, 8:-8].mean() for one in (soft, result))
    assert after < before / 2


def test_it_is_upscaling_by_one(blurred):
    args = ("soft_face.png", "--kernel", "blur.npz", "--strength", "1", "-o")
    kfsr_run(blurred, "deblur", *args, "a.png").ok()
    kfsr_run(blurred, "upscale", "--scale", "1", *args, "b.png").ok()
    assert (blurred / "a.png").read_bytes() == (blurred / "b.png").read_bytes()
    kfsr_run(blurred, "upscale", "--scale", "1", *args[:-1]).ok()
    assert (blurred / "soft_face_sharp.png").read_bytes() == (blurred / "a.png").read_bytes()
    result = kfsr.deblur(read_image(blurred / "soft_face.png"), kernel=BLUR, strength=1.0)
    assert np.array_equal(np.rint(result.image.pixels * 255), levels(blurred / "a.png"))


def test_what_a_recipe_says_of_the_scale_does_not_count(blurred):
    printed = kfsr_run(blurred, "recipe", "--scale", "4").ok().stdout
    (blurred / "four.toml").write_bytes(printed)
    args = ("deblur", "face.png", "--recipe", "four.toml", "--kernel", "point.npz", "--json")
    assert json.loads(kfsr_run(blurred, *args).ok().stdout)["scale"] == 1
    assert b"\nscale = 1\n" in b"\n" + kfsr_run(blurred, "recipe", "--scale", "1").ok().stdout


def test_it_has_the_options_of_upscale_but_what_means_nothing_here(tmp_path):
    def offered(name):
        lines = kfsr_run(tmp_path, name, "--help").ok().stdout.decode().splitlines()
        words = " ".join(line.replace(",", " ") for line in lines if line.startswith("  -")).split()
        return {word for word in words if word.startswith("--")}

    mine, options = offered("deblur"), offered("upscale")
    assert {f"--{name.replace('_', '-')}" for name in FIELDS} <= options
    assert options - mine == {"--scale", "--size", "--kernel-init", "--joint", "--no-joint"}
    assert set(NOT_HERE) == {"scale", "size", "kernel_init", "joint"}


OPTIONS = {
    "method": ("--kernel-method", "shake"),
    "trust": ("--kernel", "blur.npy", "--trust-kernel"),
    "refine": ("--kernel", "blur.npz", "--refine"),
    "uncertainty": ("--kernel", "blur.npz", "--uncertainty", "0.5"),
    "solver": ("--kernel", "blur.npz", "--solver", "zssr"),
    "strength and denoise": ("--kernel", "blur.npz", "--strength", "0.5", "--denoise", "0.5"),
    "strength 0": ("--strength", "0"),
    "preset": ("--kernel", "point.npz", "--preset", "fast"),
    "seed": ("--kernel", "blur.npz", "--seed", "3"),
    "place": ("--kernel", "blur.npz", "--device", "cpu", "--threads", "1", "--max-pixels", "9999"),
    "memory": ("--kernel", "blur.npz", "--max-memory", "2G"),
}


@pytest.mark.parametrize("more", OPTIONS.values(), ids=OPTIONS.keys())
def test_every_option_is_taken(blurred, more):
    save_kernel(BLUR, blurred / "blur.npy")
    small = PIL.Image.open(blurred / "soft_face.png").crop((0, 0, 40, 40))
    small.save(blurred / "small.png")
    (blurred / "brief.toml").write_text("[settings.zssr]\nsteps = 1\n[settings.unfolding.prior]\nsteps = 1\n")
    args = ("deblur", "small.png", "--recipe", "brief.toml", "-q", "--json", "-o", "out.png", *more)
    report = json.loads(kfsr_run(blurred, *args).ok().stdout)
    assert PIL.Image.open(blurred / "out.png").size == (40, 40)
    assert report["scale"] == 1


@pytest.mark.parametrize("kernel", ["point.npz", "point.npy"])
def test_the_file_of_a_sharp_picture_is_copied(blurred, kernel):
    np.save(blurred / "point.npy", np.ones((1, 1)))
    done = kfsr_run(blurred, "deblur", "face.png", "cat.jpg", "--kernel", kernel).ok()
    assert done.stdout == b""
    assert done.stderr.splitlines() == [
        "face.png -> face_sharp.png: sharp already, left as it is",
        "cat.jpg -> cat_sharp.jpg: sharp already, left as it is",
        "2 done, 0 skipped, 0 failed",
    ]
    for name, result in (("face.png", "face_sharp.png"), ("cat.jpg", "cat_sharp.jpg")):
        assert (blurred / result).read_bytes() == (blurred / name).read_bytes()
    assert kfsr_run(blurred, "deblur", "cat.jpg", "--kernel", kernel, "-q").ok().stderr == ""


def test_one_that_is_found_to_be_sharp(looks_sharp):
    args = ("deblur", "cat.jpg", "--recipe", "sharp.toml", "--json", "--save-kernel", "k.npz")
    done = kfsr_run(looks_sharp, *args).ok()
    assert done.stderr.splitlines() == ["cat.jpg -> cat_sharp.jpg: sharp already, left as it is"]
    assert (looks_sharp / "cat_sharp.jpg").read_bytes() == (looks_sharp / "cat.jpg").read_bytes()
    report = json.loads(done.stdout)
    assert (report["gate"]["verdict"], report["strength"], report["status"]) == ("unchanged", 0, "done")
    assert load_kernel(looks_sharp / "k.npz", 1).is_point
    done = kfsr_run(looks_sharp, "kernel", "cat.jpg", "--scale", "1", "--recipe", "sharp.toml", "-o", "again.npz").ok()
    assert "a point: the picture is sharp" in done.stderr
    kfsr_run(looks_sharp, "deblur", "face.png", "--kernel", "again.npz").ok()
    assert (looks_sharp / "face_sharp.png").read_bytes() == (looks_sharp / "face.png").read_bytes()


def test_one_kernel_for_all_from_pictures_that_are_sharp(looks_sharp):
    args = ("deblur", "cat.jpg", "face.png", "--recipe", "sharp.toml", "--kernel-from", "gray.png", "-o", "out/")
    done = kfsr_run(looks_sharp, *args).ok()
    assert "kernel of 1 picture: looks-sharp, a point: the picture is sharp" in done.stderr
    assert (looks_sharp / "out" / "cat_sharp.jpg").read_bytes() == (looks_sharp / "cat.jpg").read_bytes()


ASKED = {
    "another quality": (("--quality", "60"), "out.jpg"),
    "no description": (("--strip",), "out.jpg"),
    "another format": ((), "out.png"),
}


@pytest.mark.parametrize(("more", "name"), ASKED.values(), ids=ASKED.keys())
def test_who_asks_for_another_file_gets_one(blurred, more, name):
    exif = PIL.Image.Exif()
    exif[0x0110] = "a camera"
    PIL.Image.open(blurred / "face.png").save(blurred / "shot.jpg", exif=exif, quality=95)
    done = kfsr_run(blurred, "deblur", "shot.jpg", "--kernel", "point.npz", "-o", name, *more).ok()
    assert "sharp already" in done.stderr
    result, shot = (PIL.Image.open(blurred / path) for path in (name, "shot.jpg"))
    assert (blurred / name).read_bytes() != (blurred / "shot.jpg").read_bytes()
    assert bool(result.getexif()) == ("--strip" not in more)
    assert np.abs(np.asarray(result).astype(float) - np.asarray(shot)).mean() < 8
    if name.endswith(".png"):
        assert np.array_equal(np.asarray(result), np.asarray(shot))


def test_a_png_in_the_name_of_a_jpeg_is_not_copied(blurred):
    (blurred / "wrong.jpg").write_bytes((blurred / "face.png").read_bytes())
    kfsr_run(blurred, "deblur", "wrong.jpg", "--kernel", "point.npz").ok()
    assert PIL.Image.open(blurred / "wrong_sharp.jpg").format == "JPEG"


def test_streams(blurred):
    face = (blurred / "face.png").read_bytes()
    assert kfsr_run(blurred, "deblur", "-", "--kernel", "point.npz", stdin=face).ok().stdout == face
    cat = (blurred / "cat.jpg").read_bytes()
    done = kfsr_run(blurred, "deblur", "-", "--kernel", "point.npz", stdin=cat).ok()
    assert done.stdout.startswith(b"\x89PNG")
    assert np.array_equal(levels(io.BytesIO(done.stdout)), levels(blurred / "cat.jpg"))
    done = kfsr_run(blurred, "deblur", "face.png", "--kernel", "blur.npz", "-o", "-", "-q").ok()
    assert levels(io.BytesIO(done.stdout)).shape == (64, 80, 3)


def test_what_nothing_can_be_done_for_is_a_warning(blurred):
    PIL.Image.open(blurred / "cat.jpg").crop((0, 0, 3, 3)).save(blurred / "tiny.jpg")
    done = kfsr_run(blurred, "deblur", "tiny.jpg").ok()
    assert done.stderr.startswith("kfsr: warning: tiny.jpg: unchanged: ")
    assert "interpolated" not in done.stderr
    assert (blurred / "tiny_sharp.jpg").read_bytes() == (blurred / "tiny.jpg").read_bytes()


def test_a_file_that_is_in_the_way_keeps_its_permissions(blurred):
    (blurred / "face_sharp.png").write_bytes(b"old")
    (blurred / "face_sharp.png").chmod(0o600)
    kfsr_run(blurred, "deblur", "face.png", "--kernel", "point.npz").ok()
    assert (blurred / "face_sharp.png").read_bytes() == (blurred / "face.png").read_bytes()
    assert (blurred / "face_sharp.png").stat().st_mode & 0o777 == 0o600


def album(blurred):
    (blurred / "in" / "sub").mkdir(parents=True)
    for name, place in (("face.png", "in"), ("cat.jpg", "in/sub"), ("gray.png", "in/sub")):
        (blurred / place / name).write_bytes((blurred / name).read_bytes())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_folder_is_mirrored_and_a_stopped_run_goes_on(blurred, workers):
    album(blurred)
    args = ("deblur", "in", "-r", "-o", "out", "--kernel", "point.npz", "--skip-existing", "--workers", workers)
    kfsr_run(blurred, *args).ok()
    found = {str(path.relative_to(blurred / "out")) for path in (blurred / "out").rglob("*_sharp.*")}
    assert found == {"face_sharp.png", "sub/cat_sharp.jpg", "sub/gray_sharp.png"}
    assert (blurred / "out" / "sub" / "cat_sharp.jpg").read_bytes() == (blurred / "cat.jpg").read_bytes()
    (blurred / "out" / "sub" / "cat_sharp.jpg").unlink()
    done = kfsr_run(blurred, *args).ok()
    assert done.stderr.splitlines()[-1] == "1 done, 2 skipped, 0 failed"


def test_earlier_results_are_left_out(blurred):
    album(blurred)
    for _ in range(2):
        kfsr_run(blurred, "deblur", "in", "-r", "--kernel", "point.npz").ok()
    assert len(list((blurred / "in").rglob("*.[pj]*"))) == 6


def test_a_dry_run_says_the_names_and_the_cost(blurred):
    done = kfsr_run(blurred, "deblur", "face.png", "cat.jpg", "--dry-run", "-o", "new/").ok()
    *lines, total = done.stdout.decode().splitlines()
    assert [line.split(", about ")[0] for line in lines] == [
        "face.png -> new/face_sharp.png: to do",
        "cat.jpg -> new/cat_sharp.jpg: to do",
    ]
    assert total.startswith("2 to do, 0 skipped, 0 failed: about ")
    assert not (blurred / "new").exists()


def test_a_name_of_ones_own(blurred):
    kfsr_run(blurred, "deblur", "face.png", "--kernel", "point.npz", "--name", "{stem}-x{scale}{ext}").ok()
    assert (blurred / "face-x1.png").exists()


@pytest.mark.parametrize("command", ["deblur", "upscale"])
def test_a_kernel_of_another_scale(blurred, command):
    save_kernel(gaussian_kernel(np.eye(2), 2), blurred / "two.npz")
    one, two = (("--scale", "1"), ("--scale", "2")) if command == "upscale" else ((), None)
    line = kfsr_run(blurred, command, "face.png", "--kernel", "two.npz", *one).error_line(4)
    assert "made for scale 2, not 1; `kfsr upscale` takes it with --scale 2" in line
    if two is not None:
        line = kfsr_run(blurred, command, "face.png", "--kernel", "blur.npz", *two).error_line(4)
        assert "made for scale 1, not 2; use --scale 1" in line


def test_degrade_keeps_the_size_and_agrees_with_scipy(blurred):
    args = ("degrade", "gray.png", "--kernel", "blur.npz", "--scale", "1", "-o", "soft.png", "--save-kernel", "t.npz")
    done = kfsr_run(blurred, *args).ok()
    assert done.stderr.splitlines() == ["gray.png -> soft.png: 64x66"]
    expected = correlate(levels(blurred / "gray.png"), BLUR.array, mode="mirror")
    assert np.abs(levels(blurred / "soft.png") - expected).max() <= 0.5 + 1e-6
    assert np.array_equal(load_kernel(blurred / "t.npz", 1).array, BLUR.array)


def test_evaluate_compares_kernels_and_pictures(blurred):
    args = ("evaluate", "--kernel", "blur.npz", "--kernel-truth", "blur.npz", "--scale", "1", "--json")
    assert json.loads(kfsr_run(blurred, *args).ok().stdout)["ncc"] == pytest.approx(1)
    for folder, name in (("truth", "face.png"), ("result", "face_sharp.png")):
        (blurred / folder).mkdir()
        (blurred / folder / name).write_bytes((blurred / "face.png").read_bytes())
    rows = kfsr_run(blurred, "evaluate", "result", "truth").ok().stdout.decode().splitlines()
    assert rows[1].split()[:2] == ["face_sharp.png", "inf"]


def test_the_kernel_of_a_blurred_picture(blurred):
    PIL.Image.open(blurred / "soft_face.png").crop((0, 0, 48, 48)).save(blurred / "small.png")
    args = ("kernel", "small.png", "--scale", "1", "--method", "shake", "--preset", "fast", "-o", "found.npz", "--json")
    report = json.loads(kfsr_run(blurred, *args).ok().stdout)
    assert (report["scale"], report["kernel"]["size"] % 2) == (1, 1)
    assert load_kernel(blurred / "found.npz", 1).method == "shake"


def test_as_a_process(blurred):
    done = kfsr_run(blurred, "deblur", "cat.jpg", "--kernel", "point.npz", process=True).ok()
    assert done.stderr == "cat.jpg -> cat_sharp.jpg: sharp already, left as it is\n"
    assert (blurred / "cat_sharp.jpg").read_bytes() == (blurred / "cat.jpg").read_bytes()
