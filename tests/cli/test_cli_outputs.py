"""Results as they are asked for: format, size, quality; and what cannot be written, found before the work."""

import io
import json
import signal
import time

import numpy as np
import PIL.Image
import pytest
from process import QUICK, Started, environment, kfsr_run

from kfsr.kernel import gaussian_kernel, save_kernel


def test_a_format_for_all(photos):
    kfsr_run(photos, "upscale", "face.png", "cat.jpg", "-o", "out", "--format", "webp", *QUICK).ok()
    assert PIL.Image.open(photos / "out" / "face_x2.webp").format == "WEBP"
    assert PIL.Image.open(photos / "out" / "cat_x2.webp").format == "WEBP"
    done = kfsr_run(photos, "upscale", "face.png", "-o", "-", "--format", "jpeg", *QUICK).ok()
    assert PIL.Image.open(io.BytesIO(done.stdout)).format == "JPEG"


def test_quality_of_webp(photos):
    for more in ((), ("--quality", "50"), ("--quality", "90")):
        kfsr_run(photos, "upscale", "face.png", "-o", f"q{''.join(more)}.webp", *more, *QUICK).ok()
    lossless, low, high = ((photos / f"q{name}.webp").stat().st_size for name in ("", "--quality50", "--quality90"))
    assert low < high < lossless
    kfsr_run(photos, "upscale", "face.png", "-o", "plain.png", *QUICK).ok()
    pixels = [np.asarray(PIL.Image.open(photos / name)) for name in ("q.webp", "plain.png")]
    assert np.array_equal(*pixels)


def test_a_scale_between_whole_ones(photos):
    done = kfsr_run(photos, "upscale", "face.png", "--scale", "1.5", "--json", *QUICK).ok()
    record = json.loads(done.stdout)
    assert record["scale"] == 2
    assert record["resized"] == {"from": [160, 128], "to": [120, 96], "filter": "lanczos3"}
    kfsr_run(photos, "upscale", "face.png", "--scale", "x2", *QUICK).ok()
    large = PIL.Image.open(photos / "face_x2.png")
    expected = large.resize((120, 96), PIL.Image.Resampling.LANCZOS)
    found = np.asarray(PIL.Image.open(photos / "face_x1.5.png")).astype(int)
    assert np.abs(found - np.asarray(expected).astype(int)).max() <= 2  # the large one was rounded before


def test_a_size(photos):
    kfsr_run(photos, "upscale", "face.png", "gray.png", "--size", "200x", "-o", "out", *QUICK).ok()
    assert PIL.Image.open(photos / "out" / "face_200x.png").size == (200, 160)
    assert PIL.Image.open(photos / "out" / "gray_200x.png").size == (200, 206)
    kfsr_run(photos, "upscale", "face.png", "--size", "100x100", "-o", "box.png", *QUICK).ok()
    assert PIL.Image.open(photos / "box.png").size == (100, 80)


def test_sizes_that_cannot_be_reached_fail_alone(photos):
    done = kfsr_run(photos, "upscale", "face.png", "gray.png", "--size", "x258", "-o", "out", *QUICK)
    assert done.status == 3
    assert "face.png: " in done.stderr.splitlines()[0]
    assert "322x258 is 4.03 times the picture's 80x64, and 4 is the most" in done.stderr
    assert PIL.Image.open(photos / "out" / "gray_x258.png").size == (250, 258)


def test_a_photo_on_its_side_gets_the_size_as_it_is_seen(photos):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.open(photos / "face.png").save(photos / "side.png", exif=exif)
    kfsr_run(photos, "upscale", "side.png", "--size", "128x", "-o", "out.png", *QUICK).ok()
    assert PIL.Image.open(photos / "out.png").size == (128, 160)


def test_transparency_is_shrunk_without_a_fringe(photos):
    picture = PIL.Image.new("RGBA", (40, 40), (250, 250, 250, 255))
    picture.paste((0, 0, 0, 0), (20, 0, 40, 40))
    picture.save(photos / "half.png")
    kfsr_run(photos, "upscale", "half.png", "--scale", "1.25", "-o", "out.png", *QUICK).ok()
    pixels = np.asarray(PIL.Image.open(photos / "out.png"))
    assert pixels.shape == (50, 50, 4)
    seen = pixels[..., 3] > 8
    assert pixels[seen][:, :3].min() > 230


@pytest.mark.parametrize(("name", "size"), [("wide.webp", (9000, 4)), ("wide.jpg", (33000, 2))])
def test_what_a_format_cannot_hold_is_found_before_the_work(photos, name, size):
    PIL.Image.new("RGB", size).save(photos / name)
    for more in ((), ("--dry-run",)):
        done = kfsr_run(photos, "upscale", "face.png", name, "-o", "out", *more, *QUICK)
        assert done.status == 3
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("kfsr: error: ")]
        result = f"out/wide_x2{name[4:]} would have {2 * size[0]} x {2 * size[1]} pixels, and "
        assert line.startswith(f"kfsr: error: {name}: {result}")
        assert "write .png or .tif, with --format png" in line
        told = done.stderr + done.stdout.decode()
        assert told.index("would have") < told.index("face.png -> ") or more
    kfsr_run(photos, "upscale", name, "--format", "png", "-o", "out/", *QUICK).ok()
    assert PIL.Image.open(photos / "out" / "wide_x2.png").size == (2 * size[0], 2 * size[1])


def test_a_file_of_4_gb_is_found_before_the_work(photos):
    PIL.Image.new("1", (9500, 9500)).save(photos / "huge.tif", compression="group4")
    args = ("upscale", "huge.tif", "-s", "4", "--max-pixels", "100000000", *QUICK)
    line = kfsr_run(photos, *args, "--format", "bmp").error_line(4)
    assert "huge.tif: huge_x4.bmp would have 38000 x 38000 pixels, and BMP holds 4 GB in a file" in line
    kfsr_run(photos, *args, "--dry-run").ok()  # of TIFF there is a larger kind


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_max_memory_refuses_only_what_does_not_fit(photos, dry):
    PIL.Image.new("RGB", (2000, 2000)).save(photos / "large.png")
    done = kfsr_run(photos, "upscale", "face.png", "large.png", "-o", "out", "--max-memory", "600M", *dry, *QUICK)
    assert done.status == 3
    (line,) = [line for line in done.stderr.splitlines() if "error" in line]
    assert line.startswith("kfsr: error: large.png: 600M of memory is too little for this picture at scale 2")
    assert ("1 to do" if dry else "1 done") in done.stderr + done.stdout.decode()


def test_a_dry_run_reckons_with_the_smaller_tiles(photos):
    PIL.Image.new("RGB", (700, 700)).save(photos / "large.png")

    def memory(*more):
        done = kfsr_run(photos, "upscale", "large.png", "--dry-run", "--json", "--kernel-method", "bicubic", *more).ok()
        return json.loads(done.stdout.splitlines()[0])["estimate"]["memory_mib"]

    assert memory("--max-memory", "900M") <= 900 < memory()


def test_a_wrong_kernel_is_found_before_torch_is_loaded(photos, tmp_path_factory):
    broken = tmp_path_factory.mktemp("broken")
    (broken / "torch.py").write_text("raise ValueError('loaded')\n")
    env = environment()
    env["PYTHONPATH"] = f"{broken}:{env['PYTHONPATH']}"
    save_kernel(gaussian_kernel(np.eye(2), 4), photos / "four.npz")
    for file, hint in (("four.npz", "made for scale 4, not 2"), ("no.npz", "no such file")):
        line = kfsr_run(photos, "upscale", "face.png", "--kernel", file, "-o", "new/", env=env).error_line(4)
        assert hint in line or "cannot be read" in line
    assert not (photos / "new").exists()


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((10, 16), "10x16 is not square"),
        ((15, 15), "15x15 is no kernel for scale 2, which has an even side"),
        ((32, 32), "32x32 is what kernels for scale 4 have"),
        ((16, 16), None),
    ],
    ids=str,
)
def test_a_bare_kernel_that_may_be_another_scales_is_told(photos, shape, hint):
    np.save(photos / "k.npy", np.ones(shape) / np.prod(shape))
    args = ("upscale", "face.png", "--kernel", "k.npy", "--strength", "0", "-o")
    done = kfsr_run(photos, *args, "a.png").ok()
    assert hint in done.stderr if hint else "k.npy" not in done.stderr
    assert "k.npy: " not in kfsr_run(photos, *args, "b.png", "--trust-kernel").ok().stderr


@pytest.mark.parametrize(("number", "status", "word"), [(signal.SIGTERM, 143, "terminated"), (2, 130, "interrupted")])
def test_a_stop_says_what_is_kept(photos, number, status, word):
    PIL.Image.new("RGB", (2500, 2500)).save(photos / "large.png")
    run = Started(photos, "upscale", "face.png", "large.png", "-o", "out", "--json", *QUICK)
    run.lines(1)
    time.sleep(0.05)
    run.process.send_signal(number)
    done = run.end()
    assert done.status == status
    kept = "1 result is finished and kept; the same command with --skip-existing goes on"
    assert done.stderr.splitlines()[-1] == f"kfsr: {word}; {kept}"
    assert (photos / "out" / "face_x2.png").exists()
