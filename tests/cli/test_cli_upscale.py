"""`kfsr upscale`: names, streams, several inputs, reports; with the cheapest method and small pictures."""

import io
import json
import subprocess

import numpy as np
import PIL.Image
import pytest
from process import QUICK, command, environment, kfsr_run


def opened(path):
    with PIL.Image.open(path) as image:
        image.load()
        return image


def pixels(source):
    return np.asarray(PIL.Image.open(source)).astype(int)


def test_the_result_lies_beside_the_input_in_its_format(photos):
    done = kfsr_run(photos, "upscale", "face.png", "cat.jpg", "gray.png", "-s", "3", *QUICK).ok()
    assert done.stdout == b""
    names = {path.name for path in photos.iterdir()}
    assert names == {
        ".kfsr.ndjson",
        "face.png",
        "cat.jpg",
        "gray.png",
        "face_x3.png",
        "cat_x3.jpg",
        "gray_x3.png",
    }
    for name, kind, mode, size in (
        ("face_x3.png", "PNG", "RGB", (240, 192)),
        ("cat_x3.jpg", "JPEG", "RGB", (270, 210)),
        ("gray_x3.png", "PNG", "L", (192, 198)),
    ):
        image = opened(photos / name)
        assert (image.format, image.mode, image.size) == (kind, mode, size)
    *lines, summary = done.stderr.splitlines()
    assert [line.split(" -> ")[0] for line in lines] == ["face.png", "cat.jpg", "gray.png"]
    assert summary == "3 done, 0 skipped, 0 failed"


def test_the_result_shows_what_the_input_shows(photos):
    kfsr_run(photos, "upscale", "face.png", "-s", "4", *QUICK).ok()
    small = opened(photos / "face_x4.png").resize((80, 64), PIL.Image.Resampling.BOX)
    assert np.abs(np.asarray(small).astype(int) - pixels(photos / "face.png")).mean() < 4


def test_output_file_chooses_the_format_and_replaces(photos):
    (photos / "big.jpg").write_bytes(b"old")
    kfsr_run(photos, "upscale", "face.png", "-o", "big.jpg", *QUICK).ok()
    assert opened(photos / "big.jpg").format == "JPEG"
    assert opened(photos / "big.jpg").size == (160, 128)


def test_output_folder_is_made(photos):
    kfsr_run(photos, "upscale", "face.png", "-o", "new/folder/", *QUICK).ok()
    assert sorted(path.name for path in (photos / "new" / "folder").iterdir()) == [".kfsr.ndjson", "face_x2.png"]


def test_one_bad_file_does_not_stop_the_rest(photos):
    (photos / "bad.png").write_bytes((photos / "face.png").read_bytes()[:900])
    args = ("upscale", "face.png", "bad.png", "missing.png", "cat.jpg", "-o", "out", "--json", *QUICK)
    done = kfsr_run(photos, *args)
    assert done.status == 3
    names = sorted(path.name for path in (photos / "out").iterdir())
    assert names == [".kfsr.ndjson", "cat_x2.jpg", "face_x2.png"]
    errors = [line for line in done.stderr.splitlines() if line.startswith("kfsr: error: ")]
    assert [line.split(":")[2].strip() for line in errors] == ["missing.png", "bad.png"]
    *records, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["status"] for one in records] == ["failed", "done", "failed", "done"]
    assert {last["summary"][key] for key in ("done", "failed")} == {2}
    assert records[0]["input"] == "missing.png"
    assert "no such file" in records[0]["error"]


def test_all_bad_is_another_status(photos):
    (photos / "empty.png").write_bytes(b"")
    done = kfsr_run(photos, "upscale", "empty.png", "missing.gif", "-q", *QUICK)
    assert done.status == 4
    assert len(done.stderr.splitlines()) == 2


def test_nowhere_to_write_is_found_before_the_work(photos):
    assert "missing" in kfsr_run(photos, "upscale", "face.png", "-o", "missing/big.png").error_line(4)


def test_stdin_to_stdout_is_the_same_picture_as_a_png(photos):
    kfsr_run(photos, "upscale", "cat.jpg", "-o", "cat.png", *QUICK).ok()
    done = kfsr_run(photos, "upscale", "-", *QUICK, stdin=(photos / "cat.jpg").read_bytes()).ok()
    assert done.stdout.startswith(b"\x89PNG")
    assert np.array_equal(pixels(io.BytesIO(done.stdout)), pixels(photos / "cat.png"))


def test_stdin_that_is_no_picture(photos):
    assert "standard input" in kfsr_run(photos, "upscale", "-", *QUICK, stdin=b"no picture").error_line(4)


def test_quiet_says_nothing(photos):
    pages = [PIL.Image.open(photos / name).convert("RGB") for name in ("face.png", "cat.jpg")]
    pages[0].save(photos / "clip.gif", save_all=True, append_images=pages[1:])
    loud = kfsr_run(photos, "upscale", "clip.gif", *QUICK).ok()
    warned = [line for line in loud.stderr.splitlines() if line.startswith("kfsr: warning: ")]
    assert len(warned) == 1
    assert "clip.gif" in warned[0]
    assert kfsr_run(photos, "upscale", "clip.gif", "--quiet", *QUICK).ok().stderr == ""


def test_json_report(photos):
    args = ("upscale", "face.png", "--json", "--seed", "7", "--save-kernel", "k.npz", *QUICK)
    lines = kfsr_run(photos, *args).ok().stdout.splitlines()
    assert len(lines) == 1
    report = json.loads(lines[0])
    expected = {
        "input": "face.png",
        "output": "face_x2.png",
        "status": "done",
        "scale": 2,
        "seed": 7,
        "device": report["device"],
        "kernel_method": "bicubic",
        "solver": "bicubic",
        "kernel_file": "k.npz",
    }
    assert {key: report[key] for key in expected} == expected
    assert {"kfsr", "python", "torch", "numpy", "scipy", "pillow"} <= set(report["versions"])
    assert report["seconds"] > 0
    assert len(report["settings"]) == 16
    assert 50 < report["peak_memory_mib"] < 4000
    assert {"preset", "kernel", "gate", "residual", "timings"} <= set(report)


def test_a_saved_kernel_can_be_used_again(photos):
    kfsr_run(photos, "upscale", "face.png", "--save-kernel", "k.npy", *QUICK).ok()
    args = ("upscale", "face.png", "--kernel", "k.npy", "--solver", "bicubic", "-o", "again.png", "--json")
    report = json.loads(kfsr_run(photos, *args).ok().stdout)
    assert report["kernel_file"] == "k.npy"
    assert np.load(photos / "k.npy").shape == (report["kernel"]["size"],) * 2
    assert np.array_equal(pixels(photos / "again.png"), pixels(photos / "face_x2.png"))


def test_kernels_of_several_pictures_go_to_a_folder(photos):
    kfsr_run(photos, "upscale", "face.png", "gray.png", "-o", "out/", "--save-kernel", "k/", *QUICK).ok()
    assert sorted(path.name for path in (photos / "k").iterdir()) == ["face.npz", "gray.npz"]


@pytest.mark.parametrize("content", [b"", b"no kernel at all"])
def test_a_kernel_file_that_is_none(photos, content):
    (photos / "k.npy").write_bytes(content)
    assert "k.npy" in kfsr_run(photos, "upscale", "face.png", "--kernel", "k.npy").error_line(4)


@pytest.mark.parametrize("args", [("upscale", "face.png", "-o", "-", *QUICK), ("doctor",), ("kernel", "-h"), ()])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_is_no_drama(photos, args, unbuffered):
    process = subprocess.Popen(
        command(*args),
        cwd=photos,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(PYTHONUNBUFFERED=unbuffered),
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141


def test_transparency_comes_through(photos):
    image = PIL.Image.open(photos / "face.png").convert("RGBA")
    image.putalpha(PIL.Image.linear_gradient("L").resize(image.size))
    image.save(photos / "clear.png")
    kfsr_run(photos, "upscale", "clear.png", *QUICK).ok()
    result = opened(photos / "clear_x2.png")
    assert result.mode == "RGBA"
    alpha = np.asarray(result)[..., 3].astype(int)
    assert alpha[:4].max() < 8
    assert alpha[-4:].min() > 247


@pytest.mark.parametrize("content", [b"", b"no weights", None], ids=["empty", "text", "missing"])
def test_a_weights_file_that_is_none(photos, content):
    if content is not None:
        (photos / "w.pth").write_bytes(content)
    assert "w.pth" in kfsr_run(photos, "upscale", "face.png", "--weights", "w.pth").error_line(4)


def test_weights_for_a_solver_without(photos):
    args = ("upscale", "face.png", "--weights", "w.pth", "--solver", "zssr")
    assert "--weights" in kfsr_run(photos, *args).error_line(2)


def test_the_bundled_solver_with_a_spectral_kernel(photos):
    args = ("upscale", "face.png", "--kernel-method", "spectral", "--json", "-q")
    report = json.loads(kfsr_run(photos, *args).ok().stdout)
    assert (report["solver"], report["kernel_method"]) == ("unrolled", "spectral")
    small = opened(photos / "face_x2.png").resize((80, 64), PIL.Image.Resampling.BOX)
    assert np.abs(np.asarray(small).astype(int) - pixels(photos / "face.png")).mean() < 5


def test_exif_is_kept_unless_it_is_stripped(photos):
    exif = PIL.Image.Exif()
    exif[0x0110] = "a camera"
    PIL.Image.open(photos / "face.png").save(photos / "shot.jpg", exif=exif)
    kfsr_run(photos, "upscale", "shot.jpg", "-o", "kept.jpg", *QUICK).ok()
    kfsr_run(photos, "upscale", "shot.jpg", "-o", "bare.jpg", "--strip", *QUICK).ok()
    assert PIL.Image.open(photos / "kept.jpg").getexif()[0x0110] == "a camera"
    assert not PIL.Image.open(photos / "bare.jpg").getexif()


def test_a_limit_on_pixels(photos):
    line = kfsr_run(photos, "upscale", "face.png", "--max-pixels", "1000", *QUICK).error_line(4)
    assert "more than the limit of 1000" in line
    assert "more than the limit" in kfsr_run(photos, "kernel", "face.png", "--max-pixels", "1000").error_line(4)
