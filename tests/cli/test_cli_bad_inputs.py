"""Inputs and kernels that cannot be used, through the program: one clear line, the right status, nothing lost."""

import io
import json

import numpy as np
import PIL.Image
import pytest
import scipy.io
from process import QUICK, kfsr_run
from skimage import data

PICTURE = data.astronaut()[90:154, 190:270]


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    PIL.Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.getvalue()


def bomb():
    """2 KB that unpack to 900 megapixels."""
    import struct
    import zlib

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 1, 0, 0, 0, 0))
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(3751)) for _ in range(400)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


UNUSABLE = {
    "empty.png": (lambda: b"", "is empty"),
    "cut.png": (lambda: encoded(PICTURE, "PNG")[:2000], "damaged or incomplete PNG"),
    "cut.jpg": (lambda: encoded(PICTURE, "JPEG")[:800], "damaged or incomplete JPEG"),
    "half.gif": (lambda: encoded(PICTURE[..., 0], "GIF")[:900], "damaged or incomplete GIF"),
    "letter.png": (lambda: b"Dear reader,\nthis is no picture.\n" * 50, "not an image"),
    "bomb.png": (bomb, "30000 x 30000 pixels are more than the limit of 89478485"),
}


def test_each_picture_that_cannot_be_used_gets_one_line(tmp_path):
    for name, (make, _) in UNUSABLE.items():
        (tmp_path / name).write_bytes(make())
    done = kfsr_run(tmp_path, "upscale", *UNUSABLE, *QUICK)
    assert done.status == 4
    *lines, summary = done.stderr.splitlines()
    assert summary == f"0 done, 0 skipped, {len(UNUSABLE)} failed"
    assert len(lines) == len(UNUSABLE)
    for name, (_, hint) in UNUSABLE.items():
        (line,) = [line for line in lines if line.startswith(f"kfsr: error: {name}: ")]
        assert hint in line
    assert {path.name for path in tmp_path.iterdir()} == set(UNUSABLE)


def test_the_others_of_a_run_are_done_and_earlier_results_stay(tmp_path):
    for name, (make, _) in UNUSABLE.items():
        (tmp_path / name).write_bytes(make())
    (tmp_path / "good.png").write_bytes(encoded(PICTURE, "PNG"))
    earlier = tmp_path / "out" / "empty_x2.png"
    earlier.parent.mkdir()
    earlier.write_bytes(b"an earlier result")
    done = kfsr_run(tmp_path, "upscale", *UNUSABLE, "good.png", "-o", "out", *QUICK)
    assert done.status == 3
    assert [line for line in done.stderr.splitlines() if "Traceback" in line] == []
    errors = [line for line in done.stderr.splitlines() if line.startswith("kfsr: error: ")]
    assert sorted(line.split()[2].rstrip(":") for line in errors) == sorted(UNUSABLE)
    assert PIL.Image.open(tmp_path / "out" / "good_x2.png").size == (160, 128)
    assert earlier.read_bytes() == b"an earlier result"


def test_the_pixel_limit_is_the_users(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(PICTURE, "PNG"))
    line = kfsr_run(tmp_path, "upscale", "a.png", "--max-pixels", "5119", *QUICK).error_line(4)
    assert "80 x 64 pixels are more than the limit of 5119" in line
    kfsr_run(tmp_path, "upscale", "a.png", "--max-pixels", "5120", *QUICK).ok()


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3), (2, 2)], ids=str)
def test_a_picture_too_small_to_learn_from_is_interpolated(tmp_path, size):
    """With the defaults, which would learn a kernel: exactly twice the size, and a warning that says so."""
    rows, cols = size
    picture = np.resize(data.astronaut()[..., :3], (rows, cols, 3)).astype(np.uint8)
    (tmp_path / "small.png").write_bytes(encoded(picture, "PNG"))
    done = kfsr_run(tmp_path, "upscale", "small.png", "--preset", "fast").ok()
    assert PIL.Image.open(tmp_path / "small_x2.png").size == (2 * cols, 2 * rows)
    warning, note = done.stderr.splitlines()
    assert warning.startswith("kfsr: warning: small.png: ")
    assert "interpolated instead" in warning
    assert note.startswith("small.png -> small_x2.png")


@pytest.mark.parametrize(("kind", "result"), [("GIF", "clip_x2.png"), ("WEBP", "clip_x2.webp")])
def test_an_animation_gives_its_first_frame_with_a_warning(tmp_path, kind, result):
    frames = [PIL.Image.fromarray(PICTURE // divisor) for divisor in (1, 5, 9)]
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(tmp_path / f"clip.{kind.lower()}", kind, save_all=True, append_images=frames[1:], **options)
    done = kfsr_run(tmp_path, "upscale", f"clip.{kind.lower()}", *QUICK).ok()
    assert f"warning: clip.{kind.lower()}: has 3 frames; only the first is used" in done.stderr
    large = PIL.Image.open(tmp_path / result).convert("RGB")
    assert large.size == (160, 128)
    small = np.asarray(large.resize((80, 64), PIL.Image.Resampling.BOX)).astype(int)
    assert np.abs(small - PICTURE).mean() < 8


def test_gif_is_not_written(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(PICTURE, "PNG"))
    line = kfsr_run(tmp_path, "upscale", "a.png", "-o", "a.gif", *QUICK).error_line(2)
    assert "a.gif: GIF is read but not written; use one of .png" in line


def test_a_cmyk_jpeg_becomes_rgb(tmp_path):
    PIL.Image.fromarray(PICTURE).convert("CMYK").save(tmp_path / "press.jpg", quality=95)
    kfsr_run(tmp_path, "upscale", "press.jpg", *QUICK).ok()
    large = PIL.Image.open(tmp_path / "press_x2.jpg")
    assert (large.mode, large.size) == ("RGB", (160, 128))
    small = np.asarray(large.resize((80, 64), PIL.Image.Resampling.BOX)).astype(int)
    assert np.abs(small - PICTURE).mean() < 6


def test_a_palette_png_keeps_its_transparency(tmp_path):
    opaque = np.zeros(PICTURE.shape[:2], bool)
    opaque[:, 40:] = True
    palette = PIL.Image.fromarray(PICTURE).quantize(255)
    indices = np.where(opaque, np.asarray(palette), 255).astype(np.uint8)
    marked = PIL.Image.fromarray(indices).convert("P")
    marked.putpalette([*palette.getpalette()[: 255 * 3], 9, 9, 9])
    marked.save(tmp_path / "logo.png", transparency=255)
    kfsr_run(tmp_path, "upscale", "logo.png", *QUICK).ok()
    large = PIL.Image.open(tmp_path / "logo_x2.png")
    assert (large.mode, large.size) == ("RGBA", (160, 128))
    alpha = np.asarray(large)[..., 3]
    assert (alpha[:, :70] == 0).all()
    assert (alpha[:, 90:] == 255).all()


def saved_npy(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def saved_mat(**variables):
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, variables)
    return buffer.getvalue()


KERNELS = {
    "nan.npy": (lambda: saved_npy(np.full((8, 8), np.nan)), "NaN or infinite"),
    "huge.npy": (lambda: saved_npy(np.full((8, 8), 1e308)), "too large"),
    "pickled.npy": (lambda: saved_npy(np.array([{"a": 1}], dtype=object), allow_pickle=True), "never loaded"),
    "letters.mat": (lambda: saved_mat(blur=np.eye(8)).replace(b"blur", b"b\n\rr"), "it has: b\\n\\rr"),
    "other.mat": (lambda: saved_mat(blur=np.eye(8)), "no variable named Kernel; it has: blur"),
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_that_cannot_be_used(tmp_path, name):
    make, hint = KERNELS[name]
    (tmp_path / name).write_bytes(make())
    (tmp_path / "a.png").write_bytes(encoded(PICTURE, "PNG"))
    line = kfsr_run(tmp_path, "upscale", "a.png", "--kernel", name, "--solver", "bicubic").error_line(4)
    assert name in line
    assert hint in line
    assert not (tmp_path / "a_x2.png").exists()


def test_a_kernel_larger_than_the_picture(tmp_path):
    rows = np.arange(64) - 31.5
    kernel = np.exp(-(rows[:, None] ** 2 + rows[None] ** 2) / 200)
    np.save(tmp_path / "wide.npy", kernel / kernel.sum())
    (tmp_path / "tiny.png").write_bytes(encoded(PICTURE[:9, :7], "PNG"))
    done = kfsr_run(tmp_path, "upscale", "tiny.png", "--kernel", "wide.npy", "--json").ok()
    assert PIL.Image.open(tmp_path / "tiny_x2.png").size == (14, 18)
    assert json.loads(done.stdout)["kernel"]["size"] == 64


@pytest.mark.parametrize("scale", ["0", "0.5", "4.5", "9", "-2", "abc"])
def test_scales_that_are_none(tmp_path, scale):
    (tmp_path / "a.png").write_bytes(encoded(PICTURE, "PNG"))
    assert "--scale" in kfsr_run(tmp_path, "upscale", "a.png", "--scale", scale, *QUICK).error_line(2)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
