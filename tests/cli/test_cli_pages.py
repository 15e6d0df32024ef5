"""Stacks, pages, raws, slight damage and what files carry, through the program as its users run it."""

import json

import numpy as np
import pytest
import tifffile
from process import QUICK, kfsr_run
from skimage import data

from kfsr.image import read_image

GRAY = data.camera()[100:148, 200:264]
STACK = np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]]).astype(np.uint16) * 200


@pytest.fixture
def folder(tmp_path):
    tifffile.imwrite(
        tmp_path / "stack.tif", STACK, imagej=True, metadata={"axes": "ZYX", "unit": "um"}, resolution=(2, 2)
    )
    return tmp_path


def test_a_stack_in_is_a_stack_out(folder):
    done = kfsr_run(folder, "upscale", "stack.tif", *QUICK, "--json").ok()
    assert json.loads(done.stdout.splitlines()[0])["pages"] == 3
    with tifffile.TiffFile(folder / "stack_x2.tif") as found:
        assert (found.series[0].axes, found.series[0].shape) == ("ZYX", (3, 96, 128))
        assert found.pages[0].tags[282].value == (4, 1)
        each = found.asarray()
    for number, page in enumerate(each, 1):
        kfsr_run(folder, "upscale", "stack.tif", *QUICK, "--page", str(number), "-o", f"{number}.tif").ok()
        assert np.array_equal(tifffile.imread(folder / f"{number}.tif"), page)
    assert not list(folder.glob(".*kfsr-state*"))


def test_pages_are_told_of(folder):
    assert "stack.tif -> stack_x2.tif: 3 pages, 128x96," in kfsr_run(folder, "upscale", "stack.tif", *QUICK).ok().stderr


def test_where_only_one_page_has_room_the_others_are_named(folder):
    done = kfsr_run(folder, "upscale", "stack.tif", *QUICK, "-o", "one.png").ok()
    assert "stack.tif: has 3 pages; only the first is used" in done.stderr
    assert read_image(folder / "one.png").size == (128, 96)


def test_a_page_that_is_not_there(folder):
    done = kfsr_run(folder, "upscale", "stack.tif", *QUICK, "--page", "4")
    assert done.status == 4
    assert "stack.tif: has 3 pages, there is no page 4" in done.stderr
    assert kfsr_run(folder, "upscale", "stack.tif", *QUICK, "--page", "0").status == 2


def test_half_a_stack_is_none(folder):
    content = bytearray((folder / "stack.tif").read_bytes())
    with tifffile.TiffFile(folder / "stack.tif") as file:
        at = file.pages[2].tags[273].valueoffset
    content[at : at + 4] = (10**9).to_bytes(4, "little" if content[:2] == b"II" else "big")
    (folder / "cut.tif").write_bytes(content)
    done = kfsr_run(folder, "upscale", "cut.tif", *QUICK)
    assert done.status == 4
    assert "cut.tif: page 3: damaged or incomplete TIFF file" in done.stderr
    assert not (folder / "cut_x2.tif").exists()


def test_a_stack_that_is_left_alone_is_copied(tmp_path):
    flat = np.full((3, 40, 40), 99, np.uint8)
    tifffile.imwrite(tmp_path / "flat.tif", flat, compression="deflate")
    kfsr_run(tmp_path, "deblur", "flat.tif").ok()
    assert (tmp_path / "flat_sharp.tif").read_bytes() == (tmp_path / "flat.tif").read_bytes()


def test_a_page_that_is_left_alone_is_taken_out(tmp_path):
    pages = np.stack([np.full((40, 40), value, np.uint8) for value in (99, 30)])
    tifffile.imwrite(tmp_path / "flat.tif", pages, compression="deflate")
    kfsr_run(tmp_path, "deblur", "flat.tif", "--page", "2").ok()
    assert np.array_equal(tifffile.imread(tmp_path / "flat_sharp.tif"), pages[1])


@pytest.mark.parametrize("size", [(), ("--size", "90x")])
def test_five_channels_are_counted_as_such(tmp_path, size):
    values = np.random.default_rng(0).integers(0, 255, (40, 60, 5), np.uint8)
    tifffile.imwrite(tmp_path / "five.tif", values, photometric="rgb", planarconfig="contig", extrasamples=(0, 0))
    kfsr_run(tmp_path, "upscale", "five.tif", "-o", "out.tif", *size, *QUICK).ok()
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.series[0].shape == ((60, 90, 5) if size else (80, 120, 5))
        assert file.pages[0].shape == file.series[0].shape


def test_further_channels_are_solved_too(tmp_path):
    near = np.dstack([data.astronaut()[60:108, 190:254], GRAY])
    tifffile.imwrite(tmp_path / "near.tif", near, photometric="rgb", extrasamples=["unspecified"], metadata=None)
    kfsr_run(tmp_path, "upscale", "near.tif", *QUICK).ok()
    found = tifffile.imread(tmp_path / "near_x2.tif")
    assert found.shape == (96, 128, 4)
    assert np.abs(found.reshape(48, 2, 64, 2, 4).mean((1, 3)) - near).mean() < 4


def test_strict(tmp_path):
    from PIL import Image

    Image.fromarray(GRAY).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-2])
    assert "slightly damaged (it lacks its end)" in kfsr_run(tmp_path, "upscale", "a.jpg", *QUICK).ok().stderr
    done = kfsr_run(tmp_path, "upscale", "a.jpg", *QUICK, "--strict")
    assert done.status == 4
    assert "--strict refuses" in done.stderr


def test_a_raw_among_others(folder):
    (folder / "photo.cr2").write_bytes(b"II*\0\x10\0\0\0CR\2\0" + bytes(500))
    done = kfsr_run(folder, "upscale", "photo.cr2", "stack.tif", *QUICK, "-o", "out/")
    assert done.status == 3
    assert "photo.cr2: is a camera raw (CR2)" in done.stderr
    assert (folder / "out" / "stack_x2.tif").exists()


def test_a_stack_of_another_size(folder):
    kfsr_run(folder, "upscale", "stack.tif", *QUICK, "--size", "96x", "-o", "s.tif").ok()
    with tifffile.TiffFile(folder / "s.tif") as found:
        assert (found.series[0].axes, found.series[0].shape) == ("ZYX", (3, 72, 96))
        across = found.pages[0].tags[282].value
    assert across[0] / across[1] == pytest.approx(3)


def test_a_stack_through_pipes(folder):
    done = kfsr_run(
        folder, "upscale", "-", "-o", "-", "--format", "tif", *QUICK, stdin=(folder / "stack.tif").read_bytes()
    ).ok()
    kfsr_run(folder, "upscale", "stack.tif", *QUICK).ok()
    assert done.stdout == (folder / "stack_x2.tif").read_bytes()
    assert "3 pages" in done.stderr
    done = kfsr_run(folder, "upscale", "stack.tif", "-o", "-", *QUICK).ok()  # a PNG
    assert "has 3 pages; only the first is used" in done.stderr
