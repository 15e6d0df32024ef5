"""16 bits a channel, HEIC and metadata through the program as its users run it."""

import json

import numpy as np
import PIL.Image
import pytest
from process import QUICK, environment, kfsr_run
from skimage import data

import kfsr
from kfsr.image import Image, encode_image, read_image, write_image

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmp:Rating="5"/></x:xmpmeta>'


def ramp(channels, height=32, width=40):
    """float (H, W, C): smooth, so that 8 bits would show, in levels that are no multiples of 257."""
    y, x, c = np.ogrid[:height, :width, :channels]
    return 0.2 + 0.55 * (0.7 * x / width + 0.3 * y / height) ** 1.3 + 0.02 * c


def save(values, path):
    """`values` in [0, 1] as a 16-bit file; what is in it, in [0, 1]."""
    stored = np.rint(values * 65535).astype(np.uint16)
    assert (stored % 257 != 0).mean() > 0.9
    write_image(Image.from_array(stored), path)
    return stored / 65535


def levels(image):
    """uint16 (H, W, C), alpha the last channel; only of a 16-bit picture."""
    assert image.depth == 16
    values = image.pixels if image.alpha is None else np.dstack([image.pixels, image.alpha])
    return np.rint(values * 65535).astype(np.uint16)


def bicubic(plane):
    """`plane` (H, W) enlarged by 2 with Keys' cubic of a = -0.75, in float64, borders repeated."""
    for _ in range(2):
        plane = np.pad(plane, ((2, 2), (0, 0)), mode="edge")
        weights = [_keys(1.75), _keys(0.75), _keys(0.25), _keys(1.25)]  # of an even row; an odd one mirrors it
        even, odd = (
            sum(w * plane[k + first : len(plane) - 4 + k + first] for k, w in enumerate(order))
            for first, order in ((0, weights), (1, weights[::-1]))
        )
        plane = np.stack([even, odd], axis=1).reshape(-1, plane.shape[1]).T
    return plane


def _keys(t, a=-0.75):
    return (a + 2) * t**3 - (a + 3) * t**2 + 1 if t <= 1 else a * (t**3 - 5 * t**2 + 8 * t - 4)


@pytest.mark.parametrize(
    ("name", "channels"), [("gray.png", 1), ("rgb.png", 3), ("alpha.png", 4), ("gray.tif", 1), ("alpha.tif", 4)]
)
def test_upscaled_with_all_16_bits(tmp_path, name, channels):
    sharp = save(ramp(channels), tmp_path / name)
    done = kfsr_run(tmp_path, "upscale", name, *QUICK).ok()
    assert "warning" not in done.stderr
    found = read_image(tmp_path / name.replace(".", "_x2."))
    values = levels(found)
    assert values.shape == (64, 80, channels)
    assert all(len(np.unique(values[..., c])) > 1500 for c in range(channels))
    expected = np.dstack([bicubic(sharp[..., c]) for c in range(channels)])
    assert np.abs(values - expected * 65535).max() <= 6  # the means are kept to a few of 65535 levels
    rounded = np.dstack([bicubic(np.rint(sharp[..., c] * 255) / 255) for c in range(channels)])
    assert np.abs(rounded - expected).max() * 65535 > 50  # which 8 bits anywhere would have shown


def test_standard_output_keeps_16_bits(tmp_path):
    save(ramp(3), tmp_path / "a.tif")
    data = (tmp_path / "a.tif").read_bytes()
    done = kfsr_run(tmp_path, "upscale", "-", "-o", "-", *QUICK, stdin=data).ok()
    assert done.stdout.startswith(b"\x89PNG")
    assert len(np.unique(levels(read_image(done.stdout))[..., 0])) > 1500


def test_a_format_without_16_bits_gets_8_and_one_line_says_so(tmp_path):
    save(ramp(3), tmp_path / "a.png")
    done = kfsr_run(tmp_path, "upscale", "a.png", "-o", "a.jpg", *QUICK).ok()
    lines = [line for line in done.stderr.splitlines() if "warning" in line]
    assert lines == ["kfsr: warning: a.png: a.jpg: JPEG has no 16 bits; written with 8"]
    assert read_image(tmp_path / "a.jpg").depth == 8


def test_the_bundled_solver_gives_16_bits_no_worse_than_8(tmp_path):
    """A photograph shrunk with 16 bits; solved from them, and from the same picture rounded to 8."""
    sharp = data.camera()[100:228, 200:328] / 255
    write_image(Image.from_array(np.rint(sharp * 65535).astype(np.uint16)), tmp_path / "sharp.png")
    kfsr_run(tmp_path, "degrade", "sharp.png", "-k", "bicubic", "-o", "deep.png").ok()
    deep = levels(read_image(tmp_path / "deep.png"))
    assert (deep % 257 != 0).mean() > 0.9
    write_image(Image.from_array(np.rint(deep / 257).astype(np.uint8)), tmp_path / "flat.png")
    args = ("--kernel-method", "bicubic", "--preset", "fast")
    kfsr_run(tmp_path, "upscale", "deep.png", "flat.png", "-o", "out", *args).ok()
    found = levels(read_image(tmp_path / "out" / "deep_x2.png"))
    assert (found % 257 != 0).mean() > 0.9
    args = ("evaluate", "out", "truth", "--border", "4", "--json")
    (tmp_path / "truth").mkdir()
    for name in ("deep.png", "flat.png"):
        (tmp_path / "truth" / name).write_bytes((tmp_path / "sharp.png").read_bytes())
    records = [json.loads(line) for line in kfsr_run(tmp_path, *args).ok().stdout.splitlines()]
    psnr = {record["result"]: record["y_psnr"] for record in records[:2]}
    low, high = sorted(psnr)
    assert "deep" in low
    assert psnr[low] >= psnr[high] - 0.02


def test_degrade_writes_16_bits(tmp_path):
    sharp = save(ramp(1), tmp_path / "a.tif")[..., 0]
    kfsr_run(tmp_path, "degrade", "a.tif", "-k", "box", "-o", "low.tif").ok()
    means = sharp.reshape(16, 2, 20, 2).mean((1, 3))
    assert np.abs(levels(read_image(tmp_path / "low.tif"))[..., 0] - means * 65535).max() <= 0.51


def test_evaluate_sees_what_8_bits_would_hide(tmp_path):
    stored = np.rint(ramp(3) * 65535).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(encode_image(Image.from_array(stored), "PNG"))
    (tmp_path / "b.tif").write_bytes(encode_image(Image.from_array(stored + np.uint16(20)), "TIFF"))
    line = kfsr_run(tmp_path, "evaluate", "a.png", "b.tif", "--json").ok().stdout.splitlines()[0]
    expected = -20 * np.log10(20 / 65535 * 219 / 255)
    assert json.loads(line)["y_psnr"] == pytest.approx(expected, abs=0.01)


def test_from_python():
    stored = np.rint(ramp(1)[..., 0] * 65535).astype(np.uint16)
    image = kfsr.upscale(stored, scale=2, kernel_method="bicubic", solver="bicubic").image
    assert len(np.unique(levels(image))) > 1500


def test_xmp_and_resolution_are_kept_and_strip_takes_the_words_only(photos):
    exif = PIL.Image.Exif()
    exif[0x0110] = "a camera"
    PIL.Image.open(photos / "cat.jpg").save(photos / "shot.jpg", exif=exif, xmp=XMP, dpi=(240, 240))
    for target in ("kept.jpg", "kept.png", "kept.tif"):
        kfsr_run(photos, "upscale", "shot.jpg", "-o", target, *QUICK).ok()
        kept = read_image(photos / target)
        assert (kept.xmp, kept.dpi, kept.size) == (XMP, (240, 240), (180, 140))
        kfsr_run(photos, "upscale", "shot.jpg", "-o", target, "--strip", *QUICK).ok()
        bare = read_image(photos / target)
        assert (bare.xmp, bare.dpi) == (None, (240, 240))
        assert 0x0110 not in PIL.Image.open(photos / target).getexif()
        assert b"a camera" not in (photos / target).read_bytes()


@pytest.fixture
def heic(photos):
    heif = pytest.importorskip("pillow_heif")
    picture = PIL.Image.open(photos / "face.png")
    heif.from_pillow(picture).save(photos / "shot.heic", quality=-1, chroma=444, matrix_coefficients=0)
    return photos


def test_heic_becomes_png(heic):
    (heic / "in").mkdir()
    (heic / "shot.heic").rename(heic / "in" / "SHOT.HEIC")
    done = kfsr_run(heic, "upscale", "in", "-o", "out", *QUICK).ok()
    assert "SHOT_x2.png" in done.stderr
    kfsr_run(heic, "upscale", "face.png", "-o", "same.png", *QUICK).ok()
    assert np.array_equal(read_image(heic / "out" / "SHOT_x2.png").pixels, read_image(heic / "same.png").pixels)
    line = kfsr_run(heic, "upscale", "face.png", "-o", "big.heic", *QUICK).error_line(2)
    assert "HEIC is read but not written" in line


def test_heic_without_the_extra_is_a_line_that_says_what_to_install(tmp_path):
    (tmp_path / "shot.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(80))
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'pillow_heif' else find(name, *rest)\n"
    )
    env = environment()
    env["PYTHONPATH"] = f"{tmp_path}:{env['PYTHONPATH']}"
    line = kfsr_run(tmp_path, "upscale", "shot.heic", *QUICK, env=env).error_line(4)
    assert line.endswith("shot.heic: HEIC is read with pillow-heif, which is not installed; pip install 'kfsr[heic]'")
    assert kfsr_run(tmp_path, "upscale", ".", *QUICK, env=env).error_line(4) == line
