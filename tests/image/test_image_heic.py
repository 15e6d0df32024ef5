"""HEIC: read, never written, and nothing of it touched before there is such a file."""

import io
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from image_files import ORIENTATION, alpha_ramp, colour_picture, exif_block, gray_picture, rgb_profile

from kfsr.errors import InputError, UsageError
from kfsr.image import (
    Image,
    encode_image,
    format_by_suffix,
    formats,
    read_image,
    readable_formats,
    supported_formats,
    write_image,
)

HEAD = b"\0\0\0\x18ftyp%s\0\0\0\0mif1%s" + bytes(80)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF tiff:Orientation="6" xmp:Rating="5"/></x:xmpmeta>'


@pytest.fixture
def heif():
    return pytest.importorskip("pillow_heif")


def heic(heif, values, mode, **options):
    """A HEIC file of (H, W) or (H, W, C) values; the kind of loss that HEIC has where none is asked for."""
    file = io.BytesIO()
    height, width = values.shape[:2]
    options = {"quality": -1, "chroma": 444, "matrix_coefficients": 0} | options
    heif.from_bytes(mode, (width, height), values.tobytes()).save(file, **options)
    return file.getvalue()


def test_pixels(heif):
    image = read_image(heic(heif, colour_picture(), "RGB"))
    assert (image.format, image.depth, image.size) == ("HEIC", 8, (64, 48))
    assert np.array_equal(np.rint(image.pixels * 255), colour_picture())
    assert (image.alpha, image.exif, image.xmp, image.icc_profile) == (None,) * 4


def test_gray_and_alpha(heif):
    gray = read_image(heic(heif, gray_picture(), "L"))
    assert np.array_equal(np.rint(gray.pixels[..., 0] * 255), gray_picture())
    image = read_image(heic(heif, np.dstack([colour_picture(), alpha_ramp()]), "RGBA"))
    assert np.array_equal(np.rint(image.alpha * 255), alpha_ramp())
    assert np.array_equal(np.rint(image.pixels * 255), colour_picture())


def test_ten_bits_are_kept_and_white_is_white(heif):
    ramp = np.tile(np.linspace(0, 65535, 1024).astype(np.uint16)[None, :, None], (16, 1, 3))
    image = read_image(heic(heif, ramp, "RGB;16"))
    assert image.depth == 16
    assert len(np.unique(image.pixels[..., 0])) > 900
    assert (image.pixels.min(), image.pixels.max()) == (0, 1)
    assert np.abs(image.pixels - ramp / 65535).max() < 1.5 / 1023


def test_turned_once_with_its_metadata(heif):
    file = io.BytesIO()
    heif.from_pillow(PIL.Image.fromarray(colour_picture())).save(
        file, quality=95, chroma=444, exif=exif_block(6), xmp=XMP, icc_profile=rgb_profile()
    )
    image = read_image(file.getvalue())
    assert image.size == (48, 64)
    assert np.abs(np.rot90(image.pixels) * 255 - colour_picture()).mean() < 3
    exif = PIL.Image.Exif()
    exif.load(image.exif)
    assert (exif[0x010F], ORIENTATION in exif) == ("Kfsr Optics", False)
    assert image.icc_profile == rgb_profile()
    assert image.xmp == XMP.replace(b' tiff:Orientation="6"', b"")


def test_limit_and_several_pictures(heif):
    data = heic(heif, colour_picture(), "RGB")
    with pytest.raises(InputError, match=r"big\.heic: 64 x 48 pixels are more than the limit of 3071"):
        read_image(data, "big.heic", max_pixels=3071)
    both = heif.from_bytes("RGB", (64, 48), colour_picture().tobytes())
    both.add_frombytes("RGB", (64, 48), (255 - colour_picture()).tobytes())
    file = io.BytesIO()
    both.save(file, quality=-1, chroma=444, matrix_coefficients=0, primary_index=1)
    with pytest.warns(UserWarning, match=r"^two\.heic: has 2 pictures; only the main one is used$"):
        image = read_image(file.getvalue(), "two.heic")
    assert np.array_equal(np.rint(image.pixels * 255), 255 - colour_picture())


@pytest.mark.filterwarnings("ignore:.*only the main one is used")
def test_damaged_files(heif):
    rng = np.random.default_rng(3)
    whole = heic(heif, colour_picture(), "RGB")
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[rng.integers(12, 600)] = rng.integers(256)
        try:
            read_image(bytes(damaged))
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 0
    with pytest.raises(InputError, match="damaged or incomplete HEIC file"):
        read_image(whole[: len(whole) // 2])


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_without_the_extra_the_message_says_what_to_install(monkeypatch, brand):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        read_image(HEAD % (brand, b"heic"), "photo.heic")
    assert str(caught.value) == (
        "photo.heic: HEIC is read with pillow-heif, which is not installed; pip install 'kfsr[heic]'"
    )
    assert "HEIC" not in readable_formats()


def test_a_folder_is_searched_for_it_only_with_the_extra(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: object())
    assert readable_formats() == {**supported_formats(), "HEIC": (".heic", ".heif", ".hif"), "GIF": (".gif",)}
    assert "HEIC" not in supported_formats()


def test_it_is_never_written(tmp_path):
    with pytest.raises(UsageError, match=r"a\.heic: HEIC is read but not written; use one of \.png, "):
        write_image(Image.from_array(colour_picture()), tmp_path / "a.heic")
    for call in (lambda: format_by_suffix(tmp_path / "A.HEIF"), lambda: encode_image(None, "heic")):
        with pytest.raises(UsageError, match="read but not written"):
            call()


def test_nothing_of_it_is_imported_for_other_files():
    code = (
        "import io, sys, numpy as np\n"
        "from kfsr.image import Image, encode_image, read_image, readable_formats\n"
        "readable_formats()\n"
        "read_image(encode_image(Image.from_array(np.zeros((9, 9), np.uint8)), 'PNG'))\n"
        "print(sorted(name for name in sys.modules if 'heif' in name))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
