"""`kfsr degrade --like`: dirty pictures with their truth, drawn under a seed and told in words."""

import io
import json

import numpy as np
import PIL.Image
import pytest
import torch
from process import kfsr_run
from skimage import data

from kfsr.cli.degrade import LIKE
from kfsr.kernel import bicubic_kernel, load_kernel
from kfsr.operator.fourier import circular_degrade
from kfsr.training.degradations import KINDS


@pytest.fixture
def folder(tmp_path):
    PIL.Image.fromarray(data.chelsea()[40:201, 100:263]).save(tmp_path / "cat.png")
    PIL.Image.fromarray(data.camera()[100:220, 180:300]).save(tmp_path / "camera.png")
    return tmp_path


def levels(source):
    return np.asarray(PIL.Image.open(source)).astype(float)


def drawn(folder, *args):
    return json.loads(kfsr_run(folder, "degrade", *args, "--json", "-q").ok().stdout)


def test_the_kinds_are_those_of_training():
    assert set(LIKE) == set(KINDS) - {"clean"}


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", LIKE)
def test_the_saved_kernel_leads_to_the_picture(folder, kind, scale):
    """It explains a picture of that size up to noise, and better than it does one that was moved by a pixel."""
    args = ("cat.png", "--like", kind, "-s", scale, "--seed", "5", "-o", "low.png")
    record = drawn(folder, *args, "--save-kernel", "k.npz")
    low = levels(folder / "low.png")
    assert low.shape == (161 // scale, 163 // scale, 3)
    kernel = load_kernel(folder / "k.npz", scale)
    assert kernel.provenance.source == "given"
    assert record["kernel_file"] == "k.npz"
    assert record["drawn"]["kernel"]["size"] == kernel.size
    sharp = torch.from_numpy(levels(folder / "cat.png")).movedim(-1, 0)[None]
    sharp = sharp[..., : 161 // scale * scale, : 163 // scale * scale]

    def rest(sharp):
        again = circular_degrade(sharp, torch.from_numpy(kernel.array.copy()), scale)[0].movedim(0, -1).numpy()
        # Brightness of linear light and of removed colours is no matter of position.
        return (again - low).mean(-1)[8:-8, 8:-8].std()

    noise = 0 if record["drawn"]["camera"] is None else 255 * record["drawn"]["camera"]["noise_in_middle_tones"]
    assert rest(sharp) < 10 + noise
    assert rest(sharp) < min(rest(sharp.roll((scale, 0), (2, 3))), rest(sharp.roll((0, -scale), (2, 3))))


def test_the_seed_decides(folder):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        kfsr_run(folder, "degrade", "cat.png", "--like", "scan", "--seed", seed, "-o", f"{name}.png").ok()
    a, b, c = ((folder / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c


def test_what_was_drawn_is_told(folder):
    said = set()
    for seed in range(12):
        for kind in LIKE:
            args = ("degrade", "cat.png", "--like", kind, "-o", "low.png", "--seed", seed)
            line = kfsr_run(folder, *args).ok().stderr.splitlines()[-1]
            about = drawn(folder, *args[1:])["drawn"]
            assert line == f"cat.png -> low.png: 81x80: {', '.join(about['in_words'])}"
            for file in about["files"]:
                assert f"saved as {file['format']} of quality {file['quality']}" in line
            assert ("camera noise" in line) == (kind == "phone") == (about["camera"] is not None)
            assert ("sharpened by" in line) == (about["sharpening"] is not None)
            assert ("shrunk with" in line) == (kind == "web")
            said |= {word for word in ("blur", "shake", "grain", "colours removed", "WEBP") if word in line}
    assert said == {"blur", "shake", "grain", "colours removed", "WEBP"}


def test_the_noise_that_is_told_is_in_the_picture(folder):
    """A phone's without denoising, sharpening and files, on middle grey: what demosaicking leaves of it."""
    PIL.Image.new("RGB", (200, 200), (128, 128, 128)).save(folder / "flat.png")
    for seed in range(60):
        about = drawn(folder, "flat.png", "--like", "phone", "-o", "low.png", "--seed", seed)["drawn"]
        if not about["sharpening"] and not about["camera"]["denoising"] and about["files"][0]["quality"] > 85:
            told = 255 * about["camera"]["noise_in_middle_tones"]
            assert 0.5 * told < levels(folder / "low.png").std() < 1.1 * told + 0.5
            return
    pytest.fail("no such phone was drawn")


@pytest.mark.parametrize("kind", LIKE)
def test_gray_stays_gray(folder, kind):
    kfsr_run(folder, "degrade", "camera.png", "--like", kind, "-o", "low.png").ok()
    with PIL.Image.open(folder / "low.png") as low:
        assert (low.mode, low.size) == ("L", (60, 60))
        assert np.asarray(low).std() > 10


@pytest.mark.parametrize("kind", LIKE)
def test_transparency(folder, kind):
    """Opaque stays opaque; invisible colours do not leak; what is half visible is so in the result."""
    image = PIL.Image.new("RGBA", (80, 80), (250, 0, 0, 255))
    image.paste((0, 0, 255, 0), (41, 0, 80, 80))  # invisible blue on the right
    given = io.BytesIO()
    image.save(given, "PNG")
    done = kfsr_run(folder, "degrade", "-", "--like", kind, "-o", "-", "-q", "--seed", "3", stdin=given.getvalue()).ok()
    low = levels(io.BytesIO(done.stdout))
    assert low.shape == (40, 40, 4)
    assert (low[:, :14, 3] == 255).all()
    assert (low[:, 26:, 3] == 0).all()
    half = low[(low[..., 3] > 60) & (low[..., 3] < 200)]
    assert len(half) >= 40
    assert half[:, 2].mean() < 0.4 * half[:, 0].mean()  # JPEG's and the noise's, not the blue of the right


def test_sixteen_bits_become_eight(folder):
    kfsr_run(folder, "degrade", "camera.png", "--kernel", "box", "-s", "1", "-o", "same.tif").ok()
    import imagecodecs

    deep = data.camera()[100:220, 180:300].astype(np.uint16) * 257
    (folder / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    for name in ("deep", "camera"):
        kfsr_run(folder, "degrade", f"{name}.png", "--like", "web", "-o", f"{name}_low.png").ok()
    assert (folder / "deep_low.png").read_bytes() == (folder / "camera_low.png").read_bytes()


def test_scale_one_by_a_kernel_leaves_the_picture(folder):
    record = drawn(folder, "cat.png", "--kernel", "bicubic", "-s", "1", "-o", "same.png", "--save-kernel", "k.npz")
    assert np.array_equal(levels(folder / "same.png"), levels(folder / "cat.png"))
    assert (record["scale"], record["noise"], record["kernel"]["method"]) == (1, 0, "bicubic")
    assert np.array_equal(load_kernel(folder / "k.npz", 1).array, bicubic_kernel(1).array)


def test_another_lossy_file_is_warned_of(folder):
    done = kfsr_run(folder, "degrade", "cat.png", "--like", "web", "-o", "low.jpg").ok()
    assert "low.jpg is compressed once more" in done.stderr
    assert "once more" not in kfsr_run(folder, "degrade", "cat.png", "--like", "web", "-o", "low.webp").ok().stderr


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("-o", "low.png"), "--like phone|web|scan"),
        (("-o", "low.png", "--like", "web", "--kernel", "box"), "leave --kernel out"),
        (("-o", "low.png", "--like", "web", "--noise", "0"), "leave --noise out"),
        (("-o", "low.png", "--like", "clean"), "phone, web, scan"),
        (("-o", "low.png", "--like", "web", "--scale", "5"), "--scale"),
        (("-o", "low.png", "--like", "web", "--save-kernel", "low.png"), "low.png is already used"),
        (("-o", "low.png", "--like", "web", "--save-kernel", "cat.png"), "cat.png is an input"),
        (("-o", "low.png", "--like", "web", "--save-kernel", "k.jpg"), "a kernel file ends in"),
        (("-o", "low.png", "--like", "web", "--save-kernel", "-"), "--save-kernel needs a file"),
        (("-o", "-", "--like", "web", "--json"), "--json and the picture"),
    ],
)
def test_what_cannot_be_meant(folder, args, word):
    assert word in kfsr_run(folder, "degrade", "cat.png", *args).error_line(2)
    assert not (folder / "low.png").exists()


def test_a_picture_smaller_than_the_scale(folder):
    PIL.Image.new("L", (9, 2)).save(folder / "thin.png")
    assert "thin.png" in kfsr_run(folder, "degrade", "thin.png", "--like", "web", "-s", "4", "-o", "l.png").error_line(
        2
    )
    kfsr_run(folder, "degrade", "thin.png", "--like", "phone", "-s", "2", "-o", "l.png").ok()
