"""What a newcomer meets: the demonstration, a comparison to look at, the line at the end, help with a wrong call."""

import json

import numpy as np
import PIL.Image
import pytest
from process import QUICK, kfsr_run
from skimage import data


def test_the_demonstration(tmp_path):
    done = kfsr_run(tmp_path, "demo").ok()
    folder = tmp_path / "kfsr-demo"
    before, after = (np.asarray(PIL.Image.open(folder / f"portrait{end}.png"), float) for end in ("", "_x4"))
    assert after.shape == (512, 512, 3)
    truth = data.astronaut().astype(float)
    bicubic = np.asarray(PIL.Image.fromarray(before.astype(np.uint8)).resize((512, 512), PIL.Image.Resampling.BICUBIC))
    assert ((after - truth) ** 2).mean() < 0.5 * ((bicubic - truth) ** 2).mean()  # 3 dB at least
    assert "blur of" in done.stderr
    assert (folder / "index.html").as_uri() in done.stderr
    assert (folder / "portrait_x4_compare.png").exists()
    assert done.stdout == b""
    kfsr_run(tmp_path, "demo", "--quiet").ok()


def test_the_demonstration_replaces_nobodys_picture(tmp_path):
    (tmp_path / "portrait.png").write_bytes(b"mine")
    assert "another picture" in kfsr_run(tmp_path, "demo", "-o", ".").error_line(4)
    assert (tmp_path / "portrait.png").read_bytes() == b"mine"


def test_a_comparison_shows_both(photos):
    done = kfsr_run(photos, "upscale", "face.png", *QUICK, "--compare").ok()
    assert "compare: face_x2_compare.png" in done.stderr
    joined = np.asarray(PIL.Image.open(photos / "face_x2_compare.png"), int)
    result = np.asarray(PIL.Image.open(photos / "face_x2.png"), int)
    assert joined.shape == (128, 2 * 160 + 8, 3)
    assert np.array_equal(joined[:, 168:], result)
    assert (joined[:, 160:168] == 255).all()
    assert abs(joined[:, :160] - result).max() <= 1  # the solver interpolates here, too


def test_a_comparison_at_its_own_size_shows_the_original(photos):
    kfsr_run(photos, "deblur", "face.png", "--strength", "0", "--compare").ok()
    joined = np.asarray(PIL.Image.open(photos / "face_sharp_compare.png"))
    assert np.array_equal(joined[:, :80], np.asarray(PIL.Image.open(photos / "face.png")))


def test_comparisons_are_no_inputs_of_later_runs(photos):
    args = ("upscale", ".", *QUICK, "--compare")
    kfsr_run(photos, *args).ok()
    names = sorted(path.name for path in photos.iterdir())
    assert len(names) == 3 * 3 + 1
    kfsr_run(photos, *args).ok()
    assert sorted(path.name for path in photos.iterdir()) == names
    kfsr_run(photos, "report").ok()
    assert "_compare" not in (photos / "index.html").read_text()


def test_a_comparison_replaces_no_input_and_nothing_that_is_kept(photos):
    (photos / "face.png").rename(photos / "a_x2_compare.png")
    (photos / "cat.jpg").rename(photos / "a.jpg")
    before = (photos / "a_x2_compare.png").read_bytes()
    args = ("upscale", "a.jpg", "a_x2_compare.png", "--format", "png", *QUICK, "--compare")
    assert "--compare would replace it" in kfsr_run(photos, *args).error_line(2)
    done = kfsr_run(photos, "upscale", "a.jpg", *QUICK, "--compare", "--no-overwrite").ok()
    assert "is kept" in done.stderr
    assert (photos / "a_x2_compare.png").read_bytes() == before


@pytest.mark.parametrize("args", [("upscale", "face.png", "-o", "-"), ("upscale", "-", "-o", "a.png")])
def test_a_comparison_needs_files(photos, args):
    stdin = (photos / "face.png").read_bytes()
    assert "--compare" in kfsr_run(photos, *args, "--compare", stdin=stdin).error_line(2)


def test_the_line_at_the_end_says_what_was_found_and_done(photos):
    done = kfsr_run(photos, "upscale", "face.png", "--kernel-method", "spectral", "--json").ok()
    line = done.stderr.splitlines()[-1]
    report = json.loads(done.stdout.splitlines()[0])
    share = "fully" if report["strength"] > 0.995 else f"to {100 * report['strength']:.0f} %"
    assert line.startswith("face.png -> face_x2.png: 160x128, blur of ")
    assert f", {report['found']['words']}; sharpened {share}; " in line
    assert line.endswith(" s")
    assert "interpolated, as asked" in kfsr_run(photos, "upscale", "face.png", *QUICK).ok().stderr


WRONG = {
    "a factor among the pictures": (("upscale", "face.png", "4"), "face.png --scale 4"),
    "a factor with its sign": (("upscale", "face.png", "cat.jpg", "x2"), "face.png cat.jpg --scale 2"),
    "a factor and no command": (("face.png", "4"), "kfsr upscale face.png --scale 4"),
    "another program's command": (("sharpen", "face.png"), "did you mean deblur?"),
    "another program's option": (("upscale", "face.png", "--factor", "4"), "write --scale 4"),
    "a short one": (("upscale", "face.png", "-j", "4"), "write --workers 4"),
    "deblur by two": (("deblur", "face.png", "--scale", "2"), "kfsr upscale PHOTO --scale 2"),
    "nearly an option": (("upscale", "face.png", "--scal", "4"), "--scale"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_call_says_what_to_write(photos, case):
    args, words = WRONG[case]
    assert words in kfsr_run(photos, *args).error_line(2)


def test_a_picture_may_be_called_like_a_factor(photos):
    (photos / "face.png").rename(photos / "4")
    kfsr_run(photos, "upscale", "4", "-o", "a.png", *QUICK).ok()
