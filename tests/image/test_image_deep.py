"""16 bits a channel, in and out: every bit of them, in files by this program and by others."""

import io
import struct
import warnings
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from image_files import exif_block, file_bytes, gray_profile, png_bytes, png_chunk, rgb_profile

from kfsr.errors import InputError
from kfsr.image import Image, encode_image, read_image, write_image

FILES = Path(__file__).parent / "files"
PNG_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def pattern(channels, height=20, width=24):
    """uint16 (H, W, C): no multiples of 257, both bytes of every value matter, no direction is like another."""
    y, x, c = np.ogrid[:height, :width, :channels]
    return ((y * 2731 + x * 1057 + c * 9973 + x * y * 13) % 65536).astype(np.uint16)


def stored(image):
    """The uint16 values (H, W, C) of a picture, alpha the last channel."""
    values = image.pixels if image.alpha is None else np.dstack([image.pixels, image.alpha])
    return np.rint(values * 65535).astype(np.uint16)


def image_of(values):
    channels = values.shape[2]
    alpha = None if channels in (1, 3) else (values[..., -1] / np.float32(65535)).astype(np.float32)
    pixels = values if alpha is None else values[..., :-1]
    return Image((pixels / np.float32(65535)).astype(np.float32), alpha, depth=16)


def tiff_bytes(values, **options):
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    channels = values.shape[2]
    options = {"photometric": "rgb" if channels > 2 else "minisblack", "planarconfig": "contig"} | options
    if channels in (2, 4):
        options.setdefault("extrasamples", ["unassalpha"])
    tifffile.imwrite(file, values.squeeze(), **options)
    return file.getvalue()


@pytest.mark.parametrize("path", sorted(p for p in FILES.iterdir() if p.suffix != ".md"), ids=lambda p: p.name)
def test_files_by_other_programs(path):
    image = read_image(path)
    channels = image.channels + (image.alpha is not None)
    assert image.depth == 16
    assert image.size == (24, 20)
    assert np.array_equal(stored(image), pattern(channels))
    assert channels == {"gr": 1, "rg": 3}[path.name.split("_")[1][:2]] + ("rgba" in path.name)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_every_type(channels):
    image = read_image(png_bytes(pattern(channels), 16, PNG_TYPES[channels]))
    assert (image.depth, image.format) == (16, "PNG")
    assert np.array_equal(stored(image), pattern(channels))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_interlaced_png(channels):
    values = pattern(channels)
    rows = []
    for y, x, down, right in [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]:
        rows += [b"\0" + row.astype(">u2").tobytes() for row in values[y::down, x::right]]
    rows += [b"\0" + row.astype(">u2").tobytes() for row in values[1::2]]
    header = struct.pack(">IIBBBBB", 24, 20, 16, PNG_TYPES[channels], 0, 0, 1)
    pixels = png_chunk(b"IDAT", zlib.compress(b"".join(rows)))
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + pixels + png_chunk(b"IEND", b"")
    assert np.array_equal(stored(read_image(data)), values)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_is_told_from_one_that_is_like_it_in_8_bits(channels):
    values = pattern(channels)
    values[3, 3] = values[5, 5] ^ 1
    colour = struct.pack(f">{channels}H", *values[5, 5])
    image = read_image(png_bytes(values, 16, PNG_TYPES[channels], png_chunk(b"tRNS", colour)))
    assert (image.alpha[5, 5], image.alpha[3, 3]) == (0, 1)
    assert np.array_equal(image.alpha == 0, (values == values[5, 5]).all(axis=2))
    assert np.array_equal(stored(image)[..., :-1], values)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib", "zlib with predictor"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tiff(channels, compression, order):
    options = {"rowsperstrip": 7, "byteorder": order}
    if compression is not None:
        options |= {"compression": "zlib", "predictor": "predictor" in compression}
    image = read_image(tiff_bytes(pattern(channels), **options))
    assert (image.depth, image.format) == (16, "TIFF")
    assert np.array_equal(stored(image), pattern(channels))


@pytest.mark.parametrize("options", [{"bigtiff": True}, {"tile": (16, 16)}])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_big_and_tiled_tiff(channels, options):
    values = pattern(channels, 40, 48)
    assert np.array_equal(stored(read_image(tiff_bytes(values, **options))), values)


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_whose_white_is_zero(order):
    data = tiff_bytes(65535 - pattern(1), photometric="miniswhite", byteorder=order)
    assert np.array_equal(stored(read_image(data)), pattern(1))


def test_what_the_extra_channel_of_a_tiff_is():
    values = pattern(4)
    values[..., 3] = values[..., 3] // 2 + 32768
    assert np.array_equal(stored(read_image(tiff_bytes(values, extrasamples=["unspecified"]))), values[..., :3])
    product = np.rint(values[..., :3] * (values[..., 3:] / 65535)).astype(np.uint16)
    image = read_image(tiff_bytes(np.dstack([product, values[..., 3]]), extrasamples=["assocalpha"]))
    assert np.abs(stored(image).astype(int) - values).max() <= 1


def test_of_several_pages_the_first_is_used_with_a_warning():
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(pattern(2), photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
        writer.write(pattern(1)[..., 0].astype(np.float32), photometric="minisblack")
        writer.write((pattern(3) // 256).astype(np.uint8), photometric="rgb")
    with pytest.warns(UserWarning, match="has 3 pages; only the first is used"):
        assert np.array_equal(stored(read_image(file.getvalue())), pattern(2))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_orientation(channels, format, orientation):
    """As Pillow turns the same file of 8 bits."""
    values = pattern(channels, 6, 5)
    upright = []
    for shift in (8, 0):  # either byte of the values
        half = ((values >> shift) & 255).astype(np.uint8)
        picture = PIL.Image.fromarray(half.squeeze())
        upright.append(read_image(file_bytes(picture, format, exif=exif_block(orientation))))
    high, low = (np.rint(stored(one) / 257).astype(np.uint16) for one in upright)
    if format == "PNG":
        data = png_bytes(values, 16, PNG_TYPES[channels], png_chunk(b"eXIf", exif_block(orientation)[6:]))
    else:
        data = tiff_bytes(values, extratags=[(274, 3, 1, orientation, True)])
    assert np.array_equal(stored(read_image(data)), high * 256 + low)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_round_trip_keeps_every_bit(tmp_path, channels, format):
    values = pattern(channels, 50, 300)
    path = tmp_path / ("picture.png" if format == "PNG" else "picture.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_image(image_of(values), path)
        again = read_image(path)
    assert (again.depth, again.format) == (16, format)
    assert np.array_equal(stored(again), values)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tifffile_reads_what_is_written(tmp_path, channels):
    tifffile = pytest.importorskip("tifffile")
    write_image(image_of(pattern(channels)), tmp_path / "a.tif")
    found = tifffile.imread(tmp_path / "a.tif")
    assert found.dtype == np.uint16
    assert np.array_equal(found.reshape(pattern(channels).shape), pattern(channels))


@pytest.mark.parametrize("format", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_opencv_reads_what_is_written(tmp_path, channels, format):
    cv2 = pytest.importorskip("cv2")
    write_image(image_of(pattern(channels)), tmp_path / f"a.{format}")
    found = cv2.imread(str(tmp_path / f"a.{format}"), cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.uint16
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    assert np.array_equal(found.reshape(pattern(channels).shape)[..., order], pattern(channels))


def test_smooth_rows_are_written_small_and_all_can_be_undone():
    y, x = np.ogrid[:120, :90]
    smooth = np.rint(32768 + 20000 * np.sin(x / 40) * np.cos(y / 30)).astype(np.uint16)
    noise = np.random.default_rng(0).integers(0, 65536, (60, 90)).astype(np.uint16)
    still = np.repeat(np.random.default_rng(1).integers(0, 65536, (1, 90)), 40, axis=0).astype(np.uint16)
    diagonal = np.random.default_rng(2).integers(0, 65536, 200)[60 + x - y[:60]].astype(np.uint16)
    values = np.concatenate([smooth, noise, still, diagonal])[..., None]
    data = encode_image(image_of(values), "PNG")
    assert np.array_equal(stored(read_image(data)), values)
    assert len(encode_image(image_of(smooth[..., None]), "PNG")) < 0.7 * len(zlib.compress(smooth.astype(">u2")))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_metadata_survives(channels, format):
    profile = rgb_profile() if channels > 2 else gray_profile()
    image = image_of(pattern(channels))
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'
    source = replace(image, exif=exif_block(), icc_profile=profile, xmp=xmp, dpi=(300, 150))
    data = encode_image(source, format)
    again = read_image(data)
    assert (again.icc_profile, again.xmp, again.dpi) == (profile, xmp, (300, 150))
    exif = PIL.Image.Exif()
    exif.load(again.exif)
    assert exif.get_ifd(0x8769)[0x829A] == 0.125
    assert np.array_equal(stored(again), pattern(channels))


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF", "BMP"])
def test_where_16_bits_cannot_be_held_8_are_written_with_a_warning(tmp_path, format):
    values = pattern(3, 64, 64) // 64 + 30000  # smooth
    path = tmp_path / f"a.{format.lower()}"
    with pytest.warns(UserWarning, match=f"^.*a.{format.lower()}: {format} has no 16 bits; written with 8$") as caught:
        write_image(image_of(values), path)
    assert len(caught) == 1
    again = read_image(path)
    assert again.depth == 8
    assert np.abs(again.pixels - image_of(values).pixels).max() < (0.5 / 255 if format in ("WEBP", "BMP") else 0.05)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_damaged_files_give_a_picture_or_one_line(format):
    rng = np.random.default_rng(11)
    compressed = {"compression": "zlib", "predictor": True, "rowsperstrip": 4}
    wholes = [tiff_bytes(pattern(c), **o) for c in (1, 2, 3, 4) for o in ({}, compressed)]
    if format == "PNG":
        wholes = [png_bytes(pattern(c), 16, PNG_TYPES[c]) for c in (1, 2, 3, 4)]
    refused = 0
    for whole in wholes:
        for _ in range(40):
            damaged = bytearray(whole)
            for _ in range(4):
                damaged[rng.integers(0, min(len(damaged), 300))] = rng.integers(256)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    read_image(bytes(damaged), max_pixels=10**6)
            except InputError as error:
                refused += 1
                assert "\n" not in str(error)
        with pytest.raises(InputError, match="damaged or incomplete"):
            read_image(whole[: len(whole) // 3])
    assert refused > 0


@pytest.mark.parametrize("tag", [258, 262, 277])
def test_a_tag_that_holds_text_is_damage(tag):
    data = bytearray(tiff_bytes(pattern(2)))
    at = data.index(struct.pack("<HH", tag, 3), 8)
    data[at + 2 : at + 12] = struct.pack("<HI4s", 2, 300, struct.pack("<I", 8))  # ASCII, 300 bytes from the start on
    with pytest.raises(InputError) as caught:
        read_image(bytes(data), "text.tif")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_the_pixel_limit_comes_before_the_pixels():
    bomb = png_bytes(pattern(3), 16, 2, size=(60000, 60000))
    with pytest.raises(InputError, match="60000 x 60000 pixels are more than the limit"):
        read_image(bomb)
    with pytest.raises(InputError, match="24 x 20 pixels are more than the limit of 479"):
        read_image(tiff_bytes(pattern(4)), max_pixels=479)
    assert read_image(tiff_bytes(pattern(4)), max_pixels=480).size == (24, 20)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [3, 4])
def test_pixels_in_any_order_of_memory(channels, format):
    """A solver's picture has its channels one after the other."""
    image = image_of(pattern(channels))
    turned = replace(image, pixels=np.asfortranarray(image.pixels))
    assert np.array_equal(stored(read_image(encode_image(turned, format))), pattern(channels))


def rows_of(values):
    return b"".join(b"\0" + row.tobytes() for row in values.astype(">u2"))


def deep_png(values, rows, passes=0):
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, PNG_TYPES[values.shape[2]], 0, 0, passes)
    chunks = [png_chunk(b"IHDR", header), png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(20, 24), (1, 1), (3, 9), (9, 2)])
def test_a_picture_in_passes_is_read_and_no_library_says_anything(channels, size, capfd):
    values = pattern(channels, *size)
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    parts = [values[y::down, x::right] for x, y, right, down in passes]
    data = deep_png(values, b"".join(rows_of(part) for part in parts if part.size), passes=1)
    assert np.array_equal(stored(read_image(data)), values)
    assert capfd.readouterr() == ("", "")


def test_bytes_behind_the_pixels_are_no_damage_and_no_library_says_anything(capfd):
    values = pattern(3)
    assert np.array_equal(stored(read_image(deep_png(values, rows_of(values) + bytes(1000)))), values)
    assert capfd.readouterr() == ("", "")


def test_missing_pixels_are_damage():
    values = pattern(3)
    with pytest.raises(InputError, match=r"damaged or incomplete PNG file \(pixels are missing\)"):
        read_image(deep_png(values, rows_of(values)[:-1]))


def test_filters_go_on_across_what_is_decoded_at_once(monkeypatch):
    monkeypatch.setattr("kfsr.image.deep_png._BAND", 1000)
    values = (np.cumsum(pattern(3, 60, 70).astype(int), 0) // 500 % 65536).astype(np.uint16)
    data = encode_image(image_of(values), "PNG")  # with the filters that libpng chooses
    assert np.array_equal(stored(read_image(data)), values)
