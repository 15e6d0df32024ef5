"""Inputs that cannot be used: one line that names the file, what is wrong and what to do."""

import io
import os

import numpy as np
import PIL.Image
import pytest
from image_files import colour_picture, file_bytes, gray_picture, png_bytes

from kfsr.errors import InputError
from kfsr.image import read_image


def refusal(source, **options):
    with pytest.raises(InputError) as caught:
        read_image(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "photo.png: the file is empty; get a fresh copy"),
        (b"not found" * 40, "photo.png: not an image that can be read; convert it to one of PNG,"),
        (b"GIF89a\1\0", "photo.png: damaged or incomplete GIF file"),
        (b"\x89PNG\r\n\x1a\n", "photo.png: damaged or incomplete PNG file"),
        (b"\xff\xd8\xff\xe0", "photo.png: damaged or incomplete JPEG file"),
        (b"II*\0\x08\0\0\0", "photo.png: damaged or incomplete TIFF file"),
    ],
)
def test_content_that_is_no_picture(tmp_path, content, expected):
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    assert refusal(path, name="photo.png").startswith(expected)
    assert refusal(path).startswith(f"{path}: ")


def test_a_missing_file_and_a_folder(tmp_path):
    assert refusal(tmp_path / "no.png") == f"{tmp_path / 'no.png'}: no such file; check the name"
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_one_may_not_read(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(file_bytes(colour_picture(), "PNG"))
    path.chmod(0)
    assert "no permission" in refusal(path)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF", "GIF"])
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_truncated_file(format, part):
    data = file_bytes(colour_picture(), format)
    message = refusal(data[: int(len(data) * part)], name="cut.img")
    assert message.startswith(f"cut.img: damaged or incomplete {format} file (")
    assert message.endswith("); get a fresh copy of it")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "AVIF"])
def test_damaged_bytes_never_give_anything_but_a_picture_or_a_refusal(format):
    rng = np.random.default_rng(7)
    whole = file_bytes(colour_picture(), format)
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[rng.integers(0, min(len(damaged), 300))] = rng.integers(256)
        try:
            read_image(bytes(damaged))
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 0


def test_more_pixels_than_the_limit():
    data = file_bytes(colour_picture(), "PNG")
    assert refusal(data, name="big.png", max_pixels=3071) == (
        "big.png: 64 x 48 pixels are more than the limit of 3071; make the picture smaller or raise the limit"
    )
    assert read_image(data, max_pixels=3072).size == (64, 48)


def test_a_small_file_that_claims_to_be_huge_is_refused_by_default():
    data = png_bytes(gray_picture(), 8, 0, size=(60000, 60000))
    assert "60000 x 60000 pixels are more than the limit of" in refusal(data, name="bomb.png")


def test_the_limit_can_be_raised_beyond_that_of_pillow():
    limit = PIL.Image.MAX_IMAGE_PIXELS
    side = int((2 * limit) ** 0.5) + 1
    data = png_bytes(gray_picture(), 8, 0, size=(side, side))
    assert "damaged or incomplete" in refusal(data, max_pixels=side * side)
    assert limit == PIL.Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("size", [(0, 48), (64, 0)])
def test_no_pixels(size):
    message = refusal(png_bytes(gray_picture(), 8, 0, size=size), name="none.png")
    assert message.startswith("none.png: damaged or incomplete PNG file")


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        (np.zeros((8, 8), np.complex64), {}, "TIFF with complex64 values is not supported"),
        (np.zeros((8, 8), np.uint64), {}, "TIFF with uint64 values is not supported"),
        (np.full((8, 8), np.nan, np.float32), {}, "TIFF with 64 values that are not finite numbers is not supported"),
        (np.zeros((2, 8, 8), np.uint8), {"volumetric": True, "tile": (2, 16, 16)}, "a volume in one page"),
        (np.zeros((8, 8, 4), np.float32), {"photometric": "separated"}, "float32 values of CMYK"),
    ],
)
def test_deep_tiff_of_other_kinds(values, options, expected):
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    message = refusal(file.getvalue(), name="deep.tif")
    assert message.startswith("deep.tif: ")
    assert expected in message
    assert "magick IN -depth 16 OUT.png" in message


def test_12_bit_jpeg():
    data = bytearray(file_bytes(colour_picture(), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    assert refusal(bytes(data), name="deep.img").startswith("deep.img: 12-bit JPEG is not supported")
