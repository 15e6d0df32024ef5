"""Reading: what arrives in memory from files of every kind."""

import io
import warnings

import numpy as np
import PIL.Image
import pytest
from image_files import (
    ORIENTATION,
    alpha_ramp,
    cmyk_profile,
    colour_picture,
    exif_block,
    file_bytes,
    gray_picture,
    gray_profile,
    png_bytes,
    png_chunk,
    rgb_profile,
)

from kfsr.image import read_image, readable_formats, supported_formats

LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True, "exact": True}, "TIFF": {}, "BMP": {}}


def levels(values):
    """Grey levels 0..255 as they were in the file."""
    return np.rint(values * 255).astype(int)


def test_every_format_is_supported_here():
    assert set(supported_formats()) == {"PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF"}
    assert set(readable_formats()) - {"HEIC"} == {*supported_formats(), "GIF"}


@pytest.mark.parametrize("format", LOSSLESS)
def test_lossless_file_gives_its_exact_pixels(format):
    image = read_image(file_bytes(colour_picture(), format, **LOSSLESS[format]))
    assert image.pixels.dtype == np.float32
    assert np.array_equal(levels(image.pixels), colour_picture())
    assert image.alpha is None
    assert (image.format, image.size) == (format, (64, 48))


@pytest.mark.parametrize("format", ["JPEG", "AVIF", "WEBP"])
def test_lossy_file_gives_nearly_its_pixels(format):
    image = read_image(file_bytes(colour_picture(), format, quality=95))
    assert np.abs(levels(image.pixels) - colour_picture()).mean() < 4


def test_content_decides_and_not_the_ending(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(file_bytes(colour_picture(), "PNG"))
    assert read_image(path).format == "PNG"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP", "AVIF"])
def test_gray_stays_gray(format):
    image = read_image(file_bytes(gray_picture(), format))
    assert image.pixels.shape == (48, 64, 1)
    assert np.abs(levels(image.pixels[..., 0]) - gray_picture()).mean() < 6


@pytest.mark.parametrize("format", ["PNG", "TIFF", "AVIF"])
def test_gray_with_alpha_stays_gray_with_alpha(format):
    options = {"subsampling": "4:0:0"} if format == "AVIF" else {}
    picture = PIL.Image.fromarray(gray_picture())
    picture.putalpha(PIL.Image.fromarray(alpha_ramp()))
    image = read_image(file_bytes(picture, format, **options))
    assert image.pixels.shape == (48, 64, 1)
    assert np.abs(levels(image.alpha) - alpha_ramp()).max() <= (4 if format == "AVIF" else 0)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_carried(format):
    picture = np.dstack([colour_picture(), alpha_ramp()])
    image = read_image(file_bytes(picture, format, **LOSSLESS[format]))
    assert np.array_equal(levels(image.pixels), colour_picture())
    assert np.array_equal(levels(image.alpha), alpha_ramp())


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
def test_one_bit_becomes_gray(format):
    picture = PIL.Image.fromarray(gray_picture()).convert("1")
    image = read_image(file_bytes(picture, format))
    assert image.pixels.shape == (48, 64, 1)
    assert np.array_equal(image.pixels[..., 0], np.asarray(picture, dtype=np.float32))


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
def test_palette_becomes_rgb(format):
    picture = PIL.Image.fromarray(colour_picture()).quantize(40)
    image = read_image(file_bytes(picture, format))
    assert np.array_equal(levels(image.pixels), np.asarray(picture.convert("RGB")))
    assert image.alpha is None


@pytest.mark.parametrize("transparency", [3, bytes([0, 90, 255, 17])])
def test_palette_transparency_becomes_alpha(transparency):
    picture = PIL.Image.fromarray(colour_picture()).quantize(40)
    indices = np.asarray(picture)
    table = np.full(256, 255)
    if isinstance(transparency, int):
        table[transparency] = 0
    else:
        table[: len(transparency)] = list(transparency)
    image = read_image(file_bytes(picture, "PNG", transparency=transparency))
    assert np.array_equal(levels(image.alpha), table[indices])
    assert image.pixels.shape[2] == 3


def test_transparent_gray_level_becomes_alpha():
    level = int(gray_picture()[0, 0])
    image = read_image(file_bytes(gray_picture(), "PNG", transparency=level))
    assert image.pixels.shape[2] == 1
    assert np.array_equal(levels(image.alpha), np.where(gray_picture() == level, 0, 255))


def test_transparent_colour_becomes_alpha():
    colour = tuple(int(v) for v in colour_picture()[5, 5])
    image = read_image(file_bytes(colour_picture(), "PNG", transparency=colour))
    assert np.array_equal(image.alpha == 0, (colour_picture() == colour).all(axis=2))


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_without_profile_becomes_rgb(format):
    picture = PIL.Image.fromarray(colour_picture()).convert("CMYK")
    options = {"quality": 95, "subsampling": 0} if format == "JPEG" else {}
    image = read_image(file_bytes(picture, format, **options))
    assert image.pixels.shape[2] == 3
    assert np.abs(levels(image.pixels) - colour_picture()).mean() < 4


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_goes_through_its_profile_and_leaves_it_behind(format):
    picture = PIL.Image.new("CMYK", (16, 16), (255, 0, 0, 0))  # plain conversion: cyan; this press: light gray
    image = read_image(file_bytes(picture, format, icc_profile=cmyk_profile()))
    red, green, blue = levels(image.pixels)[8, 8]
    assert max(red, green, blue) - min(red, green, blue) <= 2
    assert abs(red - 185) <= 4  # L* = 75
    assert image.icc_profile is None


def test_cmyk_with_an_unusable_profile_is_converted_with_a_warning():
    broken = cmyk_profile()[:200]
    picture = PIL.Image.fromarray(colour_picture()).convert("CMYK")
    with pytest.warns(UserWarning, match=r"press\.tif: its CMYK colour profile cannot be used"):
        image = read_image(file_bytes(picture, "TIFF", icc_profile=broken), "press.tif")
    assert np.abs(levels(image.pixels) - colour_picture()).mean() < 4


def test_profile_is_kept_where_it_fits_the_pixels():
    assert read_image(file_bytes(colour_picture(), "PNG", icc_profile=rgb_profile())).icc_profile == rgb_profile()
    assert read_image(file_bytes(gray_picture(), "PNG", icc_profile=gray_profile())).icc_profile == gray_profile()
    assert read_image(file_bytes(gray_picture(), "PNG", icc_profile=rgb_profile())).icc_profile is None
    assert read_image(file_bytes(colour_picture(), "PNG", icc_profile=gray_profile())).icc_profile is None


def stored_for(orientation, upright):
    """The pixels a camera stores, from the words of the EXIF standard: what row 0 and column 0 are."""
    row0, column0 = {
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }[orientation]
    height, width = upright.shape[:2]
    lines = {
        "top": lambda i: (i, None),
        "bottom": lambda i: (height - 1 - i, None),
        "left": lambda i: (None, i),
        "right": lambda i: (None, width - 1 - i),
    }
    swapped = row0 in ("left", "right")
    stored = np.empty((width, height, 3) if swapped else (height, width, 3), np.uint8)
    for i in range(stored.shape[0]):
        for j in range(stored.shape[1]):
            place = [a if a is not None else b for a, b in zip(lines[row0](i), lines[column0](j), strict=True)]
            stored[i, j] = upright[place[0], place[1]]
    return stored


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "TIFF with LZW", "JPEG", "AVIF"])
def test_orientation_is_applied_once_and_its_tag_removed(format, orientation):
    stored = stored_for(orientation, colour_picture())
    format, _, compressed = format.partition(" with ")
    options = dict(LOSSLESS.get(format, {"quality": 95}), exif=exif_block(orientation, inner=not compressed))
    if compressed:
        options["compression"] = "tiff_lzw"
    image = read_image(file_bytes(stored, format, **options))
    assert image.size == (64, 48)
    assert np.abs(levels(image.pixels) - colour_picture()).mean() < (5 if format in ("JPEG", "AVIF") else 0.001)
    exif = PIL.Image.Exif()
    exif.load(image.exif)
    assert ORIENTATION not in exif
    assert exif[0x010F] == "Kfsr Optics"
    if not compressed:  # which Pillow writes without the inner list
        assert exif.get_ifd(0x8769) == {0x829A: 0.125}  # exposure kept, size tags gone


def test_alpha_turns_with_the_pixels():
    stored = stored_for(6, np.dstack([alpha_ramp()] * 3))[..., 0]
    picture = PIL.Image.fromarray(np.zeros((*stored.shape, 3), np.uint8))
    picture.putalpha(PIL.Image.fromarray(stored))
    image = read_image(file_bytes(picture, "PNG", exif=exif_block(6)))
    assert np.array_equal(levels(image.alpha), alpha_ramp())


def test_exif_in_the_text_of_an_old_png_counts():
    block = exif_block(3)[6:]
    text = f"\nexif\n{len(block):8}\n{block.hex()}\n"
    chunk = png_chunk(b"tEXt", b"Raw profile type exif\0" + text.encode())
    image = read_image(png_bytes(stored_for(3, colour_picture()), 8, 2, chunk))
    assert np.array_equal(levels(image.pixels), colour_picture())


@pytest.mark.filterwarnings("ignore:Truncated File Read")
@pytest.mark.parametrize("damage", [slice(0, 9), slice(0, 30), slice(0, 0)])
def test_damaged_exif_does_not_stop_a_good_picture(damage):
    image = read_image(file_bytes(colour_picture(), "JPEG", quality=95, exif=exif_block(6)[damage]))
    assert np.abs(levels(image.pixels) - colour_picture()).mean() < 4
    assert image.exif is None


@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF", "TIFF", "GIF"])
def test_of_several_frames_the_first_is_used_with_a_warning(format):
    frames = [PIL.Image.fromarray(colour_picture() // divisor) for divisor in (1, 4, 9)]
    options = {} if format == "TIFF" else {"duration": 100}
    if format == "WEBP":
        options["lossless"] = True
    data = file_bytes(frames[0], format, save_all=True, append_images=frames[1:], **options)
    with pytest.warns(UserWarning, match=r"^clip\.bin: has 3 (frames|pages); only the first is used$"):
        image = read_image(data, "clip.bin")
    assert np.abs(levels(image.pixels) - colour_picture()).mean() < 8


def test_photo_with_an_embedded_preview_is_no_animation():
    frames = [PIL.Image.fromarray(colour_picture()), PIL.Image.fromarray(colour_picture()[::2, ::2])]
    data = file_bytes(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert PIL.Image.open(io.BytesIO(data)).format == "MPO"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(data)
    assert (image.format, image.size) == ("JPEG", (64, 48))
