"""Inputs as they come: pipes and devices, unreadable names, doubles, earlier results, lists of other systems."""

import os
import shutil
import socket
import subprocess
import sys
import threading

import numpy as np
import PIL.Image
import pytest
import tifffile
from process import QUICK, command, environment, kfsr_run

POSIX = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes and permissions")


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".kfsr.ndjson")


def errors(done):
    return [line for line in done.stderr.splitlines() if line.startswith("kfsr: error: ")]


@pytest.fixture
def scans(photos):
    """photos/d with face.png."""
    (photos / "d").mkdir()
    shutil.copy(photos / "face.png", photos / "d")
    return photos


@POSIX
@pytest.mark.parametrize("what", ["d", "d/*.png"])
def test_pipes_and_sockets_in_a_folder_are_left_out(scans, what):
    os.mkfifo(scans / "d" / "pipe.png")
    (scans / "d" / "zero.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(scans / "d" / "s.png"))
        for more in ((), ("--dry-run",)):
            done = kfsr_run(scans, "upscale", what, "-o", "out/", *more, *QUICK).ok()
            for kind in ("d/pipe.png (a named pipe)", "d/s.png (a socket)", "d/zero.png (a device)"):
                assert kind in done.stderr
    assert names(scans / "out") == ["face_x2.png"]


@POSIX
def test_nothing_but_pipes(photos):
    (photos / "d").mkdir()
    os.mkfifo(photos / "d" / "pipe.png")
    done = kfsr_run(photos, "upscale", "d", "-o", "out", *QUICK)
    assert done.status == 4
    assert "there is no picture in this folder" in errors(done)[0]
    assert "d/*.png: matches no file, only a named pipe" in kfsr_run(photos, "upscale", "d/*.png", *QUICK).stderr


@POSIX
def test_a_pipe_that_the_user_names_is_read(scans):
    os.mkfifo(scans / "pipe")
    writer = threading.Thread(target=lambda: (scans / "pipe").write_bytes((scans / "face.png").read_bytes()))
    writer.start()
    kfsr_run(scans, "upscale", "pipe", "cat.jpg", "-o", "out", *QUICK).ok()
    writer.join()
    assert names(scans / "out") == ["cat_x2.jpg", "pipe_x2.png"]
    with (scans / "face.png").open("rb") as file:
        done = subprocess.run(
            command("upscale", "/dev/stdin", "-o", "two.png", *QUICK), cwd=scans, stdin=file, env=environment()
        )
    assert done.returncode == 0
    assert PIL.Image.open(scans / "two.png").size == (160, 128)


@pytest.mark.parametrize("way", ["argument", "list", "pattern"])
def test_a_name_that_is_too_long_fails_alone(photos, way):
    long = "z" * 300 + ".png"
    (photos / "list.txt").write_text(f"face.png\n{long}\n")
    args = {"argument": ("face.png", long), "list": ("--files-from", "list.txt"), "pattern": ("face.png", f"*{long}")}
    done = kfsr_run(photos, "upscale", *args[way], "-o", "out", *QUICK)
    assert done.status == 3
    assert len(errors(done)) == 1
    assert long in errors(done)[0]
    assert names(photos / "out") == ["face_x2.png"]


def test_a_result_whose_name_would_be_too_long_fails_before_the_work(photos):
    shutil.copy(photos / "face.png", photos / ("z" * 250 + ".png"))
    done = kfsr_run(photos, "upscale", "face.png", "z" * 250 + ".png", "-o", "out", *QUICK)
    assert done.status == 3
    assert "too long for a file; give a shorter one with --name" in errors(done)[0]
    assert done.stderr.index("too long for a file") < done.stderr.index("face.png -> ")


def dropped():
    """What makes root an ordinary user, whom permissions hold for."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may read everything")
    less = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={less}", f"--inh-caps={less}"]


@POSIX
def test_a_sub_folder_and_a_file_that_may_not_be_read_fail_alone(scans):
    (scans / "d" / "lost+found").mkdir()
    shutil.copy(scans / "face.png", scans / "d" / "secret.png")
    for name in ("lost+found", "secret.png"):
        (scans / "d" / name).chmod(0)
    try:
        args = command("upscale", "d", "-r", "-o", "out", *QUICK)
        done = subprocess.run([*dropped(), *args], cwd=scans, env=environment(), capture_output=True, text=True)
    finally:
        (scans / "d" / "lost+found").chmod(0o755)
    assert done.returncode == 3, done.stderr
    lines = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(lines) == 2
    assert "d/lost+found: the folder cannot be read (Permission denied)" in done.stderr
    assert "d/secret.png: no permission to read it" in done.stderr
    assert names(scans / "out") == ["face_x2.png"]


@POSIX
def test_somebody_elses_list_of_results_is_no_obstacle(photos):
    (photos / ".kfsr.ndjson").touch(mode=0o444)
    args = command("upscale", "face.png", *QUICK)
    done = subprocess.run([*dropped(), *args], cwd=photos, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ".kfsr.ndjson: no permission to write in this list" in done.stderr
    assert (photos / "face_x2.png").exists()


@POSIX
def test_links_that_lead_nowhere_or_in_circles_fail_alone(scans):
    (scans / "d" / "gone.png").symlink_to("nowhere.png")
    (scans / "d" / "loop.png").symlink_to("loop.png")
    (scans / "d" / "sub").symlink_to(scans / "d")
    done = kfsr_run(scans, "upscale", "d", "-r", "-o", "out", *QUICK)
    assert done.status == 3
    assert [line.split(":")[2].strip() for line in errors(done)] == ["d/gone.png", "d/loop.png"]
    assert names(scans / "out") == ["face_x2.png"]


def test_an_empty_folder_among_others_fails_alone(scans):
    (scans / "empty").mkdir()
    done = kfsr_run(scans, "upscale", "d", "empty", "-o", "out", *QUICK)
    assert done.status == 3
    assert "empty: there is no picture in this folder" in errors(done)[0]
    assert kfsr_run(scans, "upscale", "empty", "-o", "out", *QUICK).error_line(4)


def test_what_is_missing_is_said_before_the_work(photos):
    done = kfsr_run(photos, "upscale", "face.png", "no.png", "-o", "out", *QUICK)
    assert done.status == 3
    assert done.stderr.splitlines()[0] == "kfsr: error: no.png: no such file; check the name"


@pytest.mark.parametrize("way", ["argument", "list"])
def test_brackets_are_no_pattern(photos, way):
    shutil.copy(photos / "face.png", photos / "IMG1.png")
    (photos / "list.txt").write_text("IMG[1].png\n")
    args = ("IMG[1].png",) if way == "argument" else ("--files-from", "list.txt")
    line = kfsr_run(photos, "upscale", *args, "-o", "out/", *QUICK).error_line(4)
    assert "IMG[1].png: no such file" in line


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_list_from_windows(photos, encoding):
    (photos / "list.txt").write_bytes("face.png\r\ncat.jpg\r\n".encode(encoding))
    kfsr_run(photos, "upscale", "--files-from", "list.txt", "-o", "out", *QUICK).ok()
    assert names(photos / "out") == ["cat_x2.jpg", "face_x2.png"]


def test_two_pictures_of_one_name_and_one_picture_named_twice(photos):
    PIL.Image.open(photos / "face.png").convert("P").save(photos / "face.gif")
    pictures = ("face.gif", "face.png", "./face.png", "cat.jpg")
    done = kfsr_run(photos, "upscale", *pictures, "-o", "out", *QUICK).ok()
    assert names(photos / "out") == ["cat_x2.jpg", "face_gif_x2.png", "face_x2.png"]
    assert "face.png: named twice, done once" in done.stderr
    name = ("--name", "{stem}.{source_ext}{ext}")
    kfsr_run(photos, "upscale", *pictures, "-o", "named", *name, *QUICK).ok()
    assert names(photos / "named") == ["cat.jpg.jpg", "face.gif.png", "face.png.png"]


def test_kernels_of_pictures_of_one_name(photos):
    PIL.Image.open(photos / "face.png").convert("P").save(photos / "face.gif")
    both = ("face.gif", "face.png", "-o", "out", "--save-kernel", "k/", *QUICK)
    kfsr_run(photos, "upscale", *both).ok()
    assert names(photos / "k") == ["face_gif.npz", "face_png.npz"]


def test_pictures_of_one_name_from_a_list_keep_their_folders_in_it(photos):
    for name in ("x", "y"):
        (photos / name).mkdir()
        shutil.copy(photos / "face.png", photos / name)
    args = ("upscale", "--files-from", "-", "-o", "out")
    kfsr_run(photos, *args, *QUICK, stdin=b"x/face.png\ny/face.png\n").ok()
    assert names(photos / "out") == ["x_face_x2.png", "y_face_x2.png"]
    args = (*args[:-1], "named", "--name", "{parent}-{stem}{ext}")
    kfsr_run(photos, *args, *QUICK, stdin=b"x/face.png\ny/face.png\n").ok()
    assert names(photos / "named") == ["x-face.png", "y-face.png"]


def test_files_that_are_pictures_and_are_not_done_are_named(scans):
    for name in ("raw.NEF", "shot.psd", "notes.txt"):
        (scans / "d" / name).write_bytes(b"something")
    shutil.copy(scans / "cat.jpg", scans / "d" / "download.jpg_large")
    shutil.copy(scans / "cat.jpg", scans / "d" / "phone.JFIF")
    done = kfsr_run(scans, "upscale", "d", "-o", "out", *QUICK).ok()
    assert names(scans / "out") == ["face_x2.png", "phone_x2.JFIF"]
    assert "left out: d/raw.NEF, d/shot.psd: not of a format that is read" in done.stderr
    assert "left out: d/download.jpg_large: pictures without the ending of one" in done.stderr
    assert "notes.txt" not in done.stderr


def test_heic_without_its_extra_is_not_left_out_without_a_word(scans, tmp_path_factory):
    """In a process where pillow_heif cannot be found."""
    (scans / "d" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(200))
    code = (
        "import sys, importlib.util; find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'pillow_heif' else find(name, *rest)\n"
        "from kfsr.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    args = [sys.executable, "-c", code, "upscale", "d", "-o", "out", *QUICK]
    done = subprocess.run(args, cwd=scans, env=environment(), capture_output=True, text=True)
    assert done.returncode == 3
    assert "d/phone.heic: HEIC is read with pillow-heif, which is not installed" in done.stderr


def test_earlier_results_of_one_picture_or_another_scale_are_no_inputs(scans):
    kfsr_run(scans, "upscale", "d", *QUICK).ok()
    done = kfsr_run(scans, "upscale", "d", "-s", "3", *QUICK).ok()
    assert "left out: d/face_x2.png: a result of an earlier run" in done.stderr
    again = kfsr_run(scans, "upscale", *[f"d/{name}" for name in names(scans / "d")], "-s", "4", *QUICK).ok()
    assert "left out: d/face_x2.png, d/face_x3.png: results of earlier runs" in again.stderr
    assert names(scans / "d") == ["face.png", "face_x2.png", "face_x3.png", "face_x4.png"]
    kfsr_run(scans, "upscale", "d", "-r", *QUICK, "-o", "d/one/").ok()
    kfsr_run(scans, "upscale", "d", "-r", *QUICK, "-o", "d/two/").ok()
    assert names(scans / "d" / "two") == ["face_x2.png"]
    kfsr_run(scans, "upscale", "d/one", *QUICK, "-o", "more/").ok()  # named alone
    assert names(scans / "more") == ["face_x2_x2.png"]


def test_what_the_user_has_edited_stays(photos):
    both = ("upscale", "face.png", "gray.png", "-o", "out", *QUICK)
    kfsr_run(photos, *both).ok()
    edited = photos / "out" / "face_x2.png"
    PIL.Image.fromarray(255 - np.asarray(PIL.Image.open(edited))).save(edited)
    before = edited.read_bytes()
    done = kfsr_run(photos, *both, "--skip-existing").ok()
    assert "face.png: skipped, out/face_x2.png was changed since, or is not kfsr's, and is kept" in done.stderr
    assert "gray.png: skipped, out/gray_x2.png is finished" in done.stderr
    done = kfsr_run(photos, *both, "--no-overwrite", "--json").ok()
    assert done.stdout.count(b'"skipped"') == 2 + 1
    assert b"exists and is kept" in done.stdout
    assert edited.read_bytes() == before
    done = kfsr_run(photos, *both).ok()
    assert "warning: out/face_x2.png: will be replaced, though changed since kfsr wrote it" in done.stderr
    assert edited.read_bytes() != before
    assert "replaced" not in kfsr_run(photos, *both).ok().stderr


def test_a_result_that_is_cut_short_is_made_again(photos):
    kfsr_run(photos, "upscale", "face.png", "-o", "out/", *QUICK).ok()
    whole = (photos / "out" / "face_x2.png").read_bytes()
    (photos / "out" / "face_x2.png").write_bytes(whole[:1000])
    kfsr_run(photos, "upscale", "face.png", "-o", "out/", "--skip-existing", *QUICK).ok()
    assert (photos / "out" / "face_x2.png").read_bytes() == whole


def test_a_name_that_begins_with_a_dash(photos):
    shutil.copy(photos / "face.png", photos / "-face.png")
    line = kfsr_run(photos, "upscale", "-face.png", *QUICK).error_line(2)
    assert "for the file of that name write ./-face.png" in line
    kfsr_run(photos, "upscale", "./-face.png", *QUICK).ok()
    assert (photos / "-face_x2.png").exists()


def test_a_result_that_ends_like_its_input_is_told_with_both(photos):
    """p_face.png is not face.png."""
    tifffile.imwrite(photos / "deep.tif", np.full((20, 20), 30000, np.uint16))
    done = kfsr_run(photos, "upscale", "deep.tif", "-o", "p_deep.tif.jpg", *QUICK).ok()
    assert "deep.tif: p_deep.tif.jpg: JPEG has no 16 bits" in done.stderr


@POSIX
def test_a_link_that_goes_round_is_named_once(photos):
    (photos / "loop.png").symlink_to("loop.png")
    line = kfsr_run(photos, "upscale", "loop.png", *QUICK).error_line(4)
    assert line.count("loop.png") == 1


def test_a_picture_that_is_given_as_a_list(photos):
    line = kfsr_run(photos, "upscale", "--files-from", "face.png", *QUICK).error_line(2)
    assert "face.png: is a picture and no list of names; write it without --files-from" in line


@POSIX
def test_a_list_from_a_pipe_is_read_once(photos):
    os.mkfifo(photos / "list")
    writer = threading.Thread(target=lambda: (photos / "list").write_text("face.png\ngray.png\n"))
    writer.start()
    kfsr_run(photos, "upscale", "--files-from", "list", "-o", "out/", *QUICK).ok()
    writer.join()
    assert names(photos / "out") == ["face_x2.png", "gray_x2.png"]
