"""Side parts of any size, and slight damage: read with a warning, refused with strict."""

import io
import os
import struct
import warnings
import zlib

import numpy as np
import PIL.Image
import pytest
import tifffile
from image_files import colour_picture, exif_block, file_bytes, png_bytes, png_chunk, rgb_profile
from PIL import PngImagePlugin

from kfsr.errors import InputError
from kfsr.image import encode_image, ifd, read_image, read_pages


def large_profile():
    """sRGB with 1.5 MB that cannot be compressed."""
    base = rgb_profile()
    (count,) = struct.unpack_from(">I", base, 128)
    tags, body = base[132 : 132 + 12 * count], base[132 + 12 * count :]
    table = b"".join(struct.pack(">4sII", name, at + 12, size) for name, at, size in struct.iter_unpack(">4sII", tags))
    blob = b"data" + bytes(8) + os.urandom(1_500_000)
    table += struct.pack(">4sII", b"zzzz", 132 + 12 * (count + 1) + len(body), len(blob))
    whole = base[:128] + struct.pack(">I", count + 1) + table + body + blob
    return struct.pack(">I", len(whole)) + whole[4:]


def test_a_large_profile_and_large_texts_are_kept():
    profile, texts = large_profile(), PngImagePlugin.PngInfo()
    texts.add_text("workflow", "x" * 2_000_000, zip=True)
    texts.add_text("prompt", "y" * 2_000_000)
    texts.add_itxt("Title", "z" * 2_000_000, zip=True)
    data = file_bytes(colour_picture(), "PNG", icc_profile=profile, pnginfo=texts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(data)
        again = read_image(encode_image(image, "PNG"))
    assert image.icc_profile == again.icc_profile == profile
    assert [content.split(b"\0")[0] for _, content in again.extras.texts] == [b"workflow", b"prompt", b"Title"]
    assert again.extras.texts == image.extras.texts
    assert np.array_equal(image.pixels * 255, colour_picture())


def test_a_profile_that_unpacks_to_gigabytes_is_left_out():
    packed = zlib.compress(bytes(200 * 2**20))
    chunk = png_chunk(b"iCCP", b"bomb\0\0" + packed)
    with pytest.warns(UserWarning, match="iCCP too large, left out"):
        assert read_image(png_bytes(colour_picture(), 8, 2, chunk)).icc_profile is None


def with_wrong_checksum(data, kind):
    at = data.index(kind)
    (length,) = struct.unpack_from(">I", data, at - 4)
    end = at + 4 + length
    return data[:end] + bytes(4) + data[end + 4 :]


TEXT = png_chunk(b"tEXt", b"Title\0castle")
PNG = png_bytes(colour_picture(), 8, 2, TEXT + png_chunk(b"pHYs", struct.pack(">IIB", 11811, 11811, 1)))
JPEG = file_bytes(colour_picture(), "JPEG", quality=90)
SLIGHT = {
    "text": (with_wrong_checksum(PNG, b"tEXt"), "wrong checksum in tEXt"),
    "resolution": (with_wrong_checksum(PNG, b"pHYs"), "wrong checksum in pHYs"),
    "pixels that unpack all the same": (with_wrong_checksum(PNG, b"IDAT"), "wrong checksum in IDAT"),
    "end of a PNG": (PNG[:-12], "no end"),
    "half of its end": (PNG[:-5], "cut off in IEND|no end"),
    "end of a JPEG": (JPEG[:-2], "it lacks its end"),
    "half the end of a JPEG": (JPEG[:-1], "it lacks its end"),
    "end of a JPEG with a preview": (
        file_bytes(colour_picture(), "JPEG", exif=exif_block() + JPEG)[:-2],
        "it lacks its end",
    ),
    "end of a progressive JPEG": (file_bytes(colour_picture(), "JPEG", progressive=True)[:-2], "it lacks its end"),
}


@pytest.mark.parametrize(("data", "reason"), SLIGHT.values(), ids=SLIGHT)
def test_slight_damage(data, reason):
    with pytest.warns(
        UserWarning, match=rf"^old\.img: slightly damaged \({reason}\); the picture is read all the same$"
    ):
        image = read_image(data, "old.img")
    whole = np.asarray(PIL.Image.open(io.BytesIO(data + b"\xff\xd9" if data[:2] == b"\xff\xd8" else PNG)))
    assert np.array_equal(np.rint(image.pixels * 255), whole)
    with pytest.raises(InputError, match=r"^old\.img: slightly damaged .* --strict refuses"):
        read_image(data, "old.img", strict=True)


def test_texts_with_a_wrong_checksum_stay():
    with pytest.warns(UserWarning, match="slightly damaged"):
        assert read_image(SLIGHT["text"][0]).extras.texts == ((b"tEXt", b"Title\0castle"),)


def test_strict_takes_what_is_sound():
    assert read_image(PNG, strict=True).size == read_image(JPEG, strict=True).size == (64, 48)


LARGE = np.tile(colour_picture(), (4, 4, 1))


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_more_than_its_end_is_refused(progressive):
    data = file_bytes(LARGE, "JPEG", progressive=progressive)
    with pytest.raises(InputError, match=r"damaged or incomplete JPEG file \(it ends \d+ of 192 rows too early\)"):
        read_image(data[: len(data) * 3 // 4])


def test_a_jpeg_whose_last_blocks_are_missing_is_read_with_a_warning():
    data = file_bytes(LARGE, "JPEG")
    with pytest.warns(UserWarning, match=r"it lacks its end and something of its last (9|17) rows"):
        image = read_image(data[:-30])
    whole = read_image(data)
    assert np.array_equal(image.pixels[:-17], whole.pixels[:-17])


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE"])
def test_wrong_checksums_that_matter_are_damage(kind):
    data = file_bytes(PIL.Image.fromarray(colour_picture()).quantize(8), "PNG")
    with pytest.raises(InputError, match=f"damaged or incomplete PNG file .wrong checksum in {kind.decode()}"):
        read_image(with_wrong_checksum(data, kind))


def test_pixels_with_a_wrong_checksum_that_do_not_unpack_are_damage():
    at = PNG.index(b"IDAT") + 200
    with pytest.raises(InputError, match="damaged or incomplete PNG file"):
        read_image(PNG[:at] + bytes([PNG[at] ^ 255]) + PNG[at + 1 :])


def test_a_million_tiny_chunks_take_no_time():
    data = PNG[:33] + png_chunk(b"tEXt", b"a\0b") * 300_000 + PNG[33:]
    assert len(read_image(data).extras.texts) == 300_001


def pages_with_link(number, target, big):
    """A TIFF of three pages, in which that one leads to `target` of the directories' places and the file's length."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, bigtiff=big) as writer:
        for n in range(1, 4):
            writer.write(colour_picture() // n, photometric="rgb", metadata=None)
    data = bytearray(file.getvalue())
    places = [page.offset for page in tifffile.TiffFile(io.BytesIO(bytes(data))).pages]
    place, _ = ifd.link_of(data, places[number], "<", big)
    struct.pack_into("<Q" if big else "<I", data, place, target(places, len(data)))
    return bytes(data)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("number", "target", "pages"),
    [
        (2, lambda places, length: places[0], 3),
        (0, lambda places, length: places[0], 1),
        (1, lambda places, length: length + 1000, 2),
        (1, lambda places, length: length - 4, 2),
    ],
)
def test_a_tiff_whose_pages_lead_nowhere_or_back(number, target, pages, big):
    data = pages_with_link(number, target, big)
    with pytest.warns(UserWarning, match=rf"slightly damaged \(behind page {pages} the way to the next one"):
        found = read_pages(data, "a.tif")
    assert found.count == pages
    for n, page in enumerate(found, 1):
        assert np.array_equal(np.rint(page.pixels * 255), colour_picture() // n)
    with pytest.raises(InputError, match=r"slightly damaged \(behind page"):
        read_pages(data, "a.tif", strict=True)


@pytest.mark.parametrize("tag", [256, 257])
def test_a_size_that_is_a_text(tag, tmp_path):
    """Multiplied by the other side it filled the memory."""
    data = bytearray(file_bytes(colour_picture(), "TIFF"))
    for page in tifffile.TiffFile(io.BytesIO(bytes(data))).pages:
        struct.pack_into("<HHI4s", data, page.tags[tag].offset, tag, 2, 4, b"abc\0")
        other = page.tags[513 - tag].offset
        struct.pack_into("<HHII", data, other, 513 - tag, 4, 1, 2**32 - 1)
    (tmp_path / "a.tif").write_bytes(data)
    for source in (bytes(data), tmp_path / "a.tif"):
        with pytest.raises(InputError, match="damaged or incomplete TIFF file"):
            read_image(source)
