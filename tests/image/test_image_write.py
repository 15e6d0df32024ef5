"""Writing: what a file holds afterwards, and that it is there whole or not at all."""

import errno
import io
import os
import stat
import subprocess
import sys
import warnings

import numpy as np
import PIL.Image
import pytest
from image_files import (
    alpha_ramp,
    colour_picture,
    exif_block,
    file_bytes,
    gray_picture,
    gray_profile,
    rgb_profile,
)

from kfsr import files
from kfsr.errors import OutputError, UsageError
from kfsr.image import Image, encode_image, read_image, write_image

ALL = ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF"]
HOLD_ALPHA = ["PNG", "WEBP", "TIFF", "AVIF"]
HOLD_METADATA = ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"]
LOSSY = ["JPEG", "AVIF"]
SUFFIX = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".bmp", "AVIF": ".avif"}


def with_alpha():
    return np.dstack([colour_picture(), alpha_ramp()])


def opened(data):
    """What Pillow by itself sees in the bytes of a file."""
    picture = PIL.Image.open(io.BytesIO(data))
    picture.load()
    return picture


@pytest.mark.parametrize("format", ALL)
def test_colour_survives_the_round_trip(tmp_path, format):
    path = tmp_path / f"picture{SUFFIX[format]}"
    image = Image.from_array(colour_picture())
    write_image(image, path)
    assert opened(path.read_bytes()).format == format
    again = read_image(path)
    if format in LOSSY:
        assert np.abs(again.pixels - image.pixels).mean() < 3 / 255
    else:
        assert np.array_equal(again.pixels, image.pixels)


@pytest.mark.parametrize("format", ALL)
def test_gray_is_written_as_gray_where_the_format_has_it(format):
    data = encode_image(Image.from_array(gray_picture()), format)
    again = read_image(data)
    assert again.pixels.shape[2] == (3 if format == "WEBP" else 1)
    assert np.abs(again.pixels * 255 - gray_picture()[..., None]).mean() < (2 if format in LOSSY else 1e-4)


@pytest.mark.parametrize("format", HOLD_ALPHA)
@pytest.mark.parametrize("gray", [False, True])
def test_alpha_survives_the_round_trip(format, gray):
    image = Image.from_array(with_alpha())
    if gray:
        image = image.with_pixels(image.pixels[..., :1], image.alpha)
    again = read_image(encode_image(image, format))
    assert np.abs(again.alpha - image.alpha).max() < (4 / 255 if format == "AVIF" else 1e-6)
    if format != "AVIF":
        assert np.array_equal(again.pixels, np.broadcast_to(image.pixels, again.pixels.shape))


@pytest.mark.parametrize("format", ["JPEG", "BMP"])
def test_transparency_is_laid_on_white_with_a_warning_where_it_cannot_be_held(tmp_path, format):
    path = tmp_path / f"picture{SUFFIX[format]}"
    with pytest.warns(UserWarning, match=f"{path.name}: {format} has no transparency; the picture is laid on white"):
        write_image(Image.from_array(with_alpha()), path)
    alpha = alpha_ramp()[..., None] / 255
    expected = colour_picture() * alpha + 255 * (1 - alpha)
    assert np.abs(read_image(path).pixels * 255 - expected).mean() < 2


def test_an_opaque_alpha_is_dropped_without_a_word():
    opaque = np.dstack([colour_picture(), np.full((48, 64), 255, np.uint8)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(encode_image(Image.from_array(opaque), "BMP")).alpha is None


def test_values_are_rounded_and_not_cut_off():
    steps = np.linspace(-0.49, 0.49, 64, dtype=np.float32)
    values = np.clip((gray_picture() + steps) / 255, 0, 1)
    again = read_image(encode_image(Image.from_array(values), "PNG"))
    assert np.array_equal(np.rint(again.pixels[..., 0] * 255), gray_picture())


def test_jpeg_keeps_colour_at_full_resolution():
    image = opened(encode_image(Image.from_array(colour_picture()), "JPEG"))
    assert [component[1:3] for component in image.layer] == [(1, 1)] * 3


def test_quality_matters_and_is_checked():
    image = Image.from_array(colour_picture())
    assert len(encode_image(image, "jpg", 40)) < len(encode_image(image, "jpg"))
    assert encode_image(image, "jpg") == encode_image(image, "JPEG", 95)
    for quality in (0, 101):
        with pytest.raises(UsageError, match="quality must be from 1 to 100"):
            encode_image(image, "JPEG", quality)


@pytest.mark.parametrize("format", HOLD_METADATA)
def test_exif_and_profile_survive_the_round_trip(format):
    source = read_image(file_bytes(colour_picture(), "JPEG", exif=exif_block(1), icc_profile=rgb_profile()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = encode_image(source, format)
    found = opened(data)
    assert found.info["icc_profile"] == rgb_profile()
    assert found.getexif()[0x010F] == "Kfsr Optics"
    assert found.getexif().get_ifd(0x8769)[0x829A] == 0.125
    again = read_image(data)
    assert again.icc_profile == rgb_profile()
    assert again.exif is not None


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "AVIF"])
def test_gray_profile_survives_with_gray(format):
    source = read_image(file_bytes(gray_picture(), "PNG", icc_profile=gray_profile()))
    assert opened(encode_image(source, format)).info["icc_profile"] == gray_profile()


def test_gray_profile_is_applied_where_gray_becomes_rgb():
    source = read_image(file_bytes(np.full((16, 16), 128, np.uint8), "PNG", icc_profile=gray_profile()))
    again = read_image(encode_image(source, "WEBP"))
    assert again.icc_profile is None
    assert np.abs(again.pixels * 255 - 188).max() < 2.5  # half the light, as sRGB stores it


def test_a_profile_that_does_not_fit_the_channels_is_left_out():
    source = read_image(file_bytes(colour_picture(), "PNG", icc_profile=rgb_profile()))
    data = encode_image(source.with_pixels(source.pixels[..., :1]), "PNG")
    assert "icc_profile" not in opened(data).info


def test_exif_too_large_for_jpeg_is_left_out_with_a_warning(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x010E] = "x" * 70000
    source = read_image(file_bytes(colour_picture(), "PNG", exif=exif.tobytes()))
    assert read_image(encode_image(source, "PNG")).exif == source.exif
    with pytest.warns(UserWarning, match="EXIF is too large for JPEG"):
        assert read_image(encode_image(source, "JPEG")).exif is None


def test_exif_that_cannot_be_stored_is_left_out_with_a_warning(tmp_path):
    block = exif_block()[:12]  # cut off
    image = Image(Image.from_array(colour_picture()).pixels, exif=block)
    with pytest.warns(UserWarning, match=r"a\.tif: EXIF cannot be stored and is left out"):
        write_image(image, tmp_path / "a.tif")
    assert np.array_equal(read_image(tmp_path / "a.tif").pixels, image.pixels)


def test_more_pixels_a_side_than_the_format_holds(tmp_path):
    wide = Image.from_array(np.zeros((1, 16384), np.uint8))
    with pytest.raises(OutputError, match=r"wide\.webp: 16384 x 1 pixels are too many for WEBP"):
        write_image(wide, tmp_path / "wide.webp")
    assert list(tmp_path.iterdir()) == []
    write_image(wide, tmp_path / "wide.png")


@pytest.mark.parametrize("name", ["picture.gif", "picture", "picture.png.part"])
def test_an_unknown_ending_is_a_wrong_call_and_lists_the_known_ones(tmp_path, name):
    with pytest.raises(UsageError) as caught:
        write_image(Image.from_array(colour_picture()), tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert str(caught.value).endswith("use one of .png, .jpg, .jpeg, .webp, .tif, .tiff, .bmp, .avif")
    assert list(tmp_path.iterdir()) == []


def test_endings_count_in_any_case(tmp_path):
    write_image(Image.from_array(colour_picture()), tmp_path / "A.JPEG")
    assert read_image(tmp_path / "A.JPEG").format == "JPEG"


# Whole or not at all.


@pytest.fixture
def usual_umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_a_new_file_gets_the_permissions_of_the_umask(tmp_path, usual_umask):
    path = tmp_path / "picture.png"
    write_image(Image.from_array(colour_picture()), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_replaced_file_keeps_its_permissions_and_a_link_stays(tmp_path, usual_umask):
    path, link = tmp_path / "picture.png", tmp_path / "link.png"
    path.write_bytes(b"old")
    path.chmod(0o604)
    link.symlink_to(path.name)
    write_image(Image.from_array(colour_picture()), link)
    assert link.is_symlink()
    assert read_image(path).size == (64, 48)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OutputError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (MemoryError(), MemoryError),
    ],
)
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch, failure, raised, step):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    seen = []

    def fail(*_):
        seen.extend(tmp_path.iterdir())
        raise failure

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (files.Path, "replace")), fail)
    with pytest.raises(raised) as caught:
        write_image(Image.from_array(colour_picture()), path)
    assert len(seen) == 2  # it had come as far as a temporary file beside the old one
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    if raised is OutputError:
        assert str(caught.value) == f"{path}: no space left on the disk; free some or choose another folder"


def test_a_full_disk(tmp_path):
    """A real one: the process may write no file of more than 1000 bytes."""
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    code = (
        "import resource, signal, sys, numpy as np\n"
        "from kfsr.errors import OutputError\n"
        "from kfsr.image import Image, write_image\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "noise = np.random.default_rng(0).random((64, 64))\n"
        "try:\n"
        "    write_image(Image.from_array(noise), sys.argv[1])\n"
        "except OutputError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{path}: cannot be written (File too large); choose another place\n"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_places_that_cannot_be_written(tmp_path):
    image = Image.from_array(colour_picture())
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for place, reason in [
        (tmp_path / "none" / "a.png", "its folder does not exist"),
        (tmp_path / "file" / "a.png", "its folder does not exist"),
        (tmp_path / "folder.png", "is a folder"),
    ]:
        with pytest.raises(OutputError) as caught:
            write_image(image, place)
        assert str(caught.value).startswith(f"{place}: {reason}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_one_may_not_write_in(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="no permission to write in its folder"):
        write_image(Image.from_array(colour_picture()), tmp_path / "a.png")


def test_a_device_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with pytest.raises(OutputError, match="is not a regular file"):
        write_image(Image.from_array(colour_picture()), pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
