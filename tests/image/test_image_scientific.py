"""TIFFs of science and print: every kind of value and compression, read and written back in its depth and range."""

import contextlib
import io
import os
import struct
import warnings

import numpy as np
import PIL.Image
import pytest
import tifffile
from image_files import alpha_ramp, cmyk_profile, colour_picture, file_bytes, gray_picture
from PIL import ImageCms

from kfsr.errors import InputError, UsageError
from kfsr.image import Image, StackWriter, encode_image, ifd, read_image, read_pages
from kfsr.image.sample import Sample

COLOUR, GRAY = colour_picture(), gray_picture()


def tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **({"metadata": None, "software": False} | options))
    return file.getvalue()


def again(data):
    return tifffile.TiffFile(io.BytesIO(encode_image(read_image(data), "TIFF"))).pages[0].asarray()


REAL = GRAY.astype(np.float64) * 37.5 - 1234
KINDS = {
    "float32": REAL.astype(np.float32),
    "float64": REAL,
    "float16": (GRAY.astype(np.float16) - 50) * 3,
    "int8": (GRAY.astype(np.int16) - 128).astype(np.int8),
    "int16": GRAY.astype(np.int16) * 100 - 9000,
    "int32": GRAY.astype(np.int32) * 7_000_001 - 900_000_000,
    "uint32": GRAY.astype(np.uint32) * 10_000_019,
    "float32 in [0, 1]": GRAY.astype(np.float32) / 300,
    "one float": np.full((20, 20), 7.25, np.float32),
    "tiny floats": GRAY.astype(np.float32) * 1e-30,
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", KINDS)
def test_values_of_every_kind_come_back(name, order):
    values = KINDS[name]
    image = read_image(tiff(values, byteorder=order))
    assert image.sample is not None
    found = again(tiff(values, byteorder=order))
    assert found.dtype == values.dtype
    assert found.shape == values.shape
    if values.dtype != np.uint32:
        assert (found.min(), found.max()) == (values.min(), values.max())
    step = (float(values.max()) - float(values.min())) * 2**-23
    assert np.abs(found.astype(np.float64) - values).max() <= step + 1e-3 * (values.dtype == np.float16) * 1000


def test_floats_between_0_and_1_are_taken_as_they_are():
    values = KINDS["float32 in [0, 1]"]
    assert np.array_equal(read_image(tiff(values)).pixels[..., 0], values)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(bad):
    values = KINDS["float32"].copy()
    values[3, 4] = bad
    with pytest.raises(InputError, match="TIFF with 1 values that are not finite numbers is not supported"):
        read_image(tiff(values))


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_where_they_cannot_be_held_black_and_white_are_named(format):
    image = read_image(tiff(KINDS["int16"]))
    with pytest.warns(UserWarning, match=f"{format} has no int16 values; black is -.* there, white .*; write .tif"):
        made = read_image(encode_image(image, format))
    assert made.depth == (16 if format == "PNG" else 8)
    assert np.abs(made.pixels - image.pixels).max() < 0.05


def test_no_sample_of_a_range_that_is_none():
    with pytest.raises(ValueError, match="no sample kind"):
        Sample("float32", 1.0, 1.0)


CODECS = ["lzw", "deflate", "packbits", "lzma", "zstd", "lerc", "jpeg2000", "webp", "jpegxl", "png", "jpeg", "jpegxr"]
LOSSY = {"jpeg": 12, "jpegxr": 12}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_every_compression(codec, tile):
    options = {"photometric": "rgb", "compression": codec} | ({"tile": tile} if tile else {})
    if codec in ("webp", "jpegxl", "jpeg2000"):
        options["compressionargs"] = {"lossless": True} if codec != "jpeg2000" else {"reversible": True}
    image = read_image(tiff(COLOUR, **options))
    assert image.sample is None
    assert np.abs(image.pixels * 255 - COLOUR).mean() <= LOSSY.get(codec, 1e-4)


@pytest.mark.parametrize("codec", ["lerc", "zstd", "lzw", "deflate"])
def test_floats_that_are_compressed(codec):
    assert np.array_equal(again(tiff(KINDS["float32"], compression=codec)), again(tiff(KINDS["float32"])))


def test_an_unknown_compression_is_refused_by_name(capfd):
    data = bytearray(tiff(GRAY))
    at = data.index(b"\x03\x01\x03\0\1\0\0\0\1\0")
    data[at + 8 : at + 10] = (50000 + 777).to_bytes(2, "little")
    with pytest.raises(InputError, match="TIFF with 50777 compression is not supported; convert it"):
        read_image(bytes(data))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("damage", [300, 900, 2000])
@pytest.mark.parametrize("codec", ["jpeg", "webp", "jpeg2000", "lerc", "zstd", "lzw"])
def test_no_library_speaks_on_standard_error(codec, damage, capfd):
    data = bytearray(tiff(COLOUR, photometric="rgb", compression=codec))
    for at in range(damage, min(damage + 40, len(data))):
        data[at] ^= 0x5A
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read_image(bytes(data))
        except InputError as error:
            assert "\n" not in str(error)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bits", [1, 2, 4, 10, 12, 14])
def test_values_of_other_widths(bits):
    white = 2**bits - 1
    values = (GRAY.astype(np.uint32) * white // 255).astype(np.uint8 if bits <= 8 else np.uint16)
    if bits in (1, 2, 4):
        data = packed(values, bits)
    else:
        data = tiff(values, bitspersample=bits, compression=None) if bits != 10 else packed(values, bits)
    image = read_image(data)
    assert image.depth == (8 if bits <= 8 else 16)
    assert np.abs(image.pixels[..., 0] - values / white).max() < 1e-6


def packed(values, bits):
    """A TIFF whose values lie side by side without gaps."""
    import imagecodecs

    from kfsr.image import ifd

    rows = b"".join(imagecodecs.packints_encode(row, bits) for row in values)
    tags = {256: 64, 257: 48, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: 48, 279: len(rows)}
    entries = tuple(
        ifd.Entry.of(tag, ifd.LONG if tag in (273, 279) else ifd.SHORT, value) for tag, value in tags.items()
    )
    at = 8 + len(rows) + len(rows) % 2
    head = b"II*\0" + at.to_bytes(4, "little")
    return head + rows.ljust(at - 8, b"\0") + ifd.directory_bytes(ifd.Directory(entries), at)


def test_planes_one_after_the_other():
    assert np.array_equal(again(tiff(COLOUR.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")), COLOUR)
    deep = COLOUR.transpose(2, 0, 1).astype(">u2") * 257
    options = {"photometric": "rgb", "planarconfig": "separate", "byteorder": ">", "bigtiff": True}
    assert np.array_equal(again(tiff(deep, **options)), COLOUR * np.uint16(257))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("colour", [False, True])
def test_further_channels_are_kept(colour, count):
    first = [COLOUR] if colour else [GRAY]
    values = np.dstack([*first, *(np.roll(GRAY, 7 * n, 1) for n in range(1, count + 1))])
    options = {"photometric": "rgb" if colour else "minisblack", "extrasamples": ["unspecified"] * count}
    data = tiff(values, planarconfig="contig", **options)
    image = read_image(data)
    assert (image.channels, image.alpha, len(image.planes)) == (3 if colour else 1, None, count)
    assert np.array_equal(again(data), values)
    assert np.array_equal(again(tiff(values.transpose(2, 0, 1), planarconfig="separate", **options)), values)


def test_further_channels_have_their_own_range_and_alpha_is_none_of_them():
    values = np.dstack([GRAY, 255 - alpha_ramp(), GRAY // 2]).astype(np.float32)
    values[..., 1] /= 255
    values[..., 2] *= -3
    data = tiff(values, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha", "unspecified"])
    image = read_image(data)
    assert np.array_equal(image.alpha, values[..., 1])
    assert np.abs(again(data) - values).max() < 1e-4


def test_further_planes_must_fit():
    with pytest.raises(ValueError, match="further planes must be gray and of 48 x 64"):
        Image(Image.from_array(COLOUR).pixels, planes=(Image.from_array(GRAY[:10]),))


def test_premultiplied_floats():
    alpha = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(48, 0)
    colour = COLOUR.astype(np.float32) / 64
    values = np.dstack([colour * alpha[..., None], alpha])
    found = again(tiff(values, photometric="rgb", extrasamples=["assocalpha"]))
    assert np.abs(found[..., :3] - colour)[:, 2:].max() < 1e-4
    assert np.abs(found[..., 3] - alpha).max() < 1e-6


def test_cmyk_of_16_bits_goes_through_its_profile():
    inks = np.dstack([255 - COLOUR, GRAY // 4])
    for profile in (None, cmyk_profile()):
        options = {"photometric": "separated", "iccprofile": profile}
        deep = read_image(tiff(inks.astype(np.uint16) * 257, **options))
        shallow = read_image(tiff(inks, **options))
        assert (deep.depth, shallow.depth) == (16, 8)
        assert np.abs(deep.pixels - shallow.pixels).max() < 2 / 255
    picture = PIL.Image.frombytes("CMYK", (64, 48), inks.tobytes())
    assert np.abs(shallow.pixels - read_image(file_bytes(picture, "TIFF", icc_profile=profile)).pixels).max() == 0


def test_inks_of_another_set_are_refused():
    with pytest.raises(InputError, match="SEPARATED values is not supported"):
        read_image(tiff(np.dstack([COLOUR, GRAY]), photometric="separated", extratags=[(332, 3, 1, 2, True)]))


def lab_of(colour):
    """uint8 CIELAB as TIFF stores it, by lcms."""
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    made = ImageCms.profileToProfile(PIL.Image.fromarray(colour), srgb, lab, outputMode="LAB")
    return np.asarray(made)


@pytest.mark.parametrize("bits", [8, 16])
def test_lab(bits):
    stored = lab_of(COLOUR)
    if bits == 16:
        signed = stored[..., 1:].view(np.int8).astype(np.int16) * 256
        stored = np.dstack([stored[..., 0].astype(np.uint16) * 257, signed.view(np.uint16)])
    with pytest.warns(UserWarning, match="CIELAB is written as RGB"):
        image = read_image(tiff(stored, photometric="cielab"))
    assert image.depth == bits
    assert np.abs(image.pixels * 255 - COLOUR).mean() < 1.5


def test_lab_outside_srgb_gets_a_wider_profile():
    stored = np.zeros((8, 8, 3), np.uint8)
    stored[...] = (140, 0xB0, 0x50)  # a green: a = -80, b = 80
    with pytest.warns(UserWarning, match="CIELAB"):
        image = read_image(tiff(stored, photometric="cielab"))
    profile = ImageCms.ImageCmsProfile(io.BytesIO(image.icc_profile))
    picture = PIL.Image.fromarray(np.rint(image.pixels * 255).astype(np.uint8))
    back = ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("LAB"), outputMode="LAB")
    assert np.abs(np.asarray(back).astype(np.int8)[0, 0].astype(int) - stored[0, 0].astype(np.int8)).max() <= 3


def test_a_palette():
    table = np.stack([np.arange(256) * 257, np.arange(255, -1, -1) * 257, np.full(256, 40 * 257)]).astype(np.uint16)
    image = read_image(tiff(GRAY, photometric="palette", colormap=table))
    assert np.array_equal(np.rint(image.pixels * 255), (table.T // 257)[GRAY])


def test_ycbcr_that_is_not_compressed_by_jpeg():
    picture = PIL.Image.fromarray(COLOUR).convert("YCbCr")
    image = read_image(file_bytes(picture, "TIFF"))
    assert np.abs(image.pixels * 255 - COLOUR).mean() < 2


PAGES = [COLOUR, GRAY, COLOUR[::-1].astype(np.uint16) * 257, KINDS["float32"], np.dstack([COLOUR, alpha_ramp()])]


def stack():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for number, page in enumerate(PAGES):
            kind = "rgb" if page.ndim == 3 else "minisblack"
            tags = [(285, 2, 0, f"page {number}", True), (315, 2, 0, f"artist {number}", True)]
            more = {"extrasamples": ["unassalpha"]} if page.ndim == 3 and page.shape[2] == 4 else {}
            writer.write(page, photometric=kind, metadata=None, extratags=tags, **more)
    return file.getvalue()


def test_pages_of_different_kinds_all_come_back(tmp_path):
    pages, writer = read_pages(stack()), StackWriter(tmp_path / "a.tif", len(PAGES))
    assert pages.count == len(PAGES)
    for page in pages:
        writer.add(page)
    with tifffile.TiffFile(io.BytesIO(writer.finish())) as file:
        assert len(file.pages) == len(PAGES)
        for number, (page, values) in enumerate(zip(file.pages, PAGES, strict=True)):
            found = page.asarray()
            assert found.dtype == values.dtype
            assert np.abs(found.astype(float) - values).max() < 1e-3
            assert page.tags[315].value == f"artist {number}"
    assert PIL.Image.open(io.BytesIO(writer.finish())).n_frames == len(PAGES)


@pytest.mark.parametrize("number", range(1, 6))
@pytest.mark.filterwarnings("error")
def test_a_page_by_its_number(number):
    image = read_image(stack(), page=number)
    values = PAGES[number - 1]
    assert np.array_equal(again_of(image), values) or np.abs(again_of(image) - values).max() < 1e-3


def again_of(image):
    return tifffile.TiffFile(io.BytesIO(encode_image(image, "TIFF"))).pages[0].asarray()


@pytest.mark.parametrize(("page", "words"), [(6, "has 5 pages, there is no page 6"), (0, "pages count from 1")])
def test_a_page_that_is_not_there(page, words):
    with pytest.raises(InputError, match=f"^s.tif: .*{words}"):
        read_image(stack(), "s.tif", page=page)


def test_a_page_that_is_damaged_is_named():
    data = bytearray(stack())
    page = tifffile.TiffFile(io.BytesIO(bytes(data))).pages[2]
    at = page.tags[273].offset
    data[at + 8 : at + 12] = (len(data) + 5).to_bytes(4, "little")
    pages = read_pages(bytes(data), "s.tif")
    pages.read(1)
    with pytest.raises(InputError, match=r"^s\.tif: page 3: damaged or incomplete TIFF file"):
        pages.read(2)


@pytest.mark.parametrize("format", ["GIF", "WEBP"])
def test_a_frame_by_its_number(format):
    frames = [PIL.Image.fromarray(np.full((8, 8, 3), 60 * n, np.uint8)) for n in range(1, 4)]
    data = file_bytes(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)
    assert abs(float(read_image(data, page=3).pixels.mean()) * 255 - 180) < 1
    with pytest.raises(InputError, match="has 3 frames, there is no page 4; leave --page out"):
        read_image(data, page=4)


def test_a_frame_of_what_has_one_only():
    with pytest.raises(InputError, match=r"^a.jpg: has 1 frame, there is no page 2; leave --page out"):
        read_image(file_bytes(colour_picture(), "JPEG"), "a.jpg", page=2)
    frames = [PIL.Image.fromarray(np.full((8, 8, 3), 60 * n, np.uint8)) for n in range(1, 4)]
    data = file_bytes(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert read_image(data, page=1).size == (8, 8)
    with pytest.raises(InputError, match=r"has 3 frames, of which only the first one can be read; leave --page out"):
        read_image(data, page=2)


def test_values_of_5_6_and_5_bits_are_no_damage():
    values = colour_picture()
    packed = (values[..., 0].astype(np.uint16) >> 3 << 11) | (values[..., 1].astype(np.uint16) >> 2 << 5)
    packed |= values[..., 2] >> 3
    head = ((256, 4, 64), (257, 4, 48), (258, 3, (5, 6, 5)), (259, 3, 1), (262, 3, 2), (277, 3, 3), (278, 4, 48))
    entries = [ifd.Entry.of(tag, kind, *(v if isinstance(v, tuple) else (v,))) for tag, kind, v in head]
    entries += [ifd.Entry.of(273, 4, 8), ifd.Entry.of(279, 4, packed.nbytes)]
    body = packed.astype("<u2").tobytes()
    directory = ifd.directory_bytes(ifd.Directory(tuple(entries)), 8 + len(body))
    data = b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory
    assert np.abs(read_image(data).pixels * 255 - values).max() <= 8


def bare_tiff(values, without):
    """A TIFF of plain uint8 values that lacks a tag."""
    channels = values.shape[2] if values.ndim == 3 else 1
    numbers = {256: 64, 257: 48, 258: (8,) * channels, 259: 1, 262: 2 if channels == 3 else 1, 273: 8, 277: channels}
    numbers |= {278: 48, 279: values.size, 284: 1}
    entries = [
        ifd.Entry.of(tag, ifd.LONG if tag in (273, 279) else ifd.SHORT, *(one if isinstance(one, tuple) else (one,)))
        for tag, one in numbers.items()
        if tag != without
    ]
    directory = ifd.directory_bytes(ifd.Directory(tuple(entries)), 8 + values.size)
    return b"II*\0" + struct.pack("<I", 8 + values.size) + values.tobytes() + directory


@pytest.mark.parametrize("without", [259, 262, 277, 278, 279, 284])
def test_tags_that_programs_forget(without):
    data = bare_tiff(gray_picture(), without)
    assert np.array_equal(np.rint(read_image(data).pixels[..., 0] * 255), gray_picture())


def test_three_channels_of_unknown_meaning_are_colours():
    assert np.array_equal(np.rint(read_image(bare_tiff(colour_picture(), 262)).pixels * 255), colour_picture())


@pytest.mark.parametrize(("metadata", "warned"), [({}, False), ({"axes": "YXS", "Exposure": 0.1}, True)])
def test_tifffiles_note_of_a_shape_is_nothing_to_miss(metadata, warned):
    file = io.BytesIO()
    tifffile.imwrite(file, colour_picture(), photometric="rgb", metadata=metadata)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        encode_image(read_image(file.getvalue()), "PNG")
    assert any("description" in str(one.message) for one in seen) == warned


def test_only_tiff_holds_a_stack(tmp_path):
    with pytest.raises(UsageError, match="only TIFF holds several pages"):
        StackWriter(tmp_path / "a.png", 2)


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("name", [*KINDS, "uint8", "uint16"])
def test_what_is_written_is_read_by_tifffile(big, deflate, name):
    from kfsr.image.ifd import Directory
    from kfsr.image.tiff_write import TiffFile

    values = {"uint8": COLOUR, "uint16": COLOUR * np.uint16(257)}.get(name, KINDS.get(name))
    values = values if values.ndim == 3 else values[..., None]
    file = TiffFile(big, deflate)
    for _ in range(3):
        file.add(values, Directory(), colours=values.shape[2], alpha=False)
    with tifffile.TiffFile(io.BytesIO(file.finish())) as found:
        assert found.is_bigtiff == big
        assert len(found.pages) == 3
        assert all(np.array_equal(page.asarray(), values.squeeze()) for page in found.pages)


def test_unsigned_values_that_use_their_last_bit_have_the_whole_range():
    large, small = (GRAY.astype(np.uint32) * factor for factor in (2**32 // 256, 100))
    assert read_image(tiff(large)).sample == Sample("uint32", 0.0, 2.0**32 - 1)
    assert read_image(tiff(small)).sample == Sample("uint32", float(small.min()), float(small.max()))


def test_a_palette_with_alpha():
    table = np.stack([np.arange(256) * 257] * 3).astype(np.uint16)
    values = np.dstack([GRAY, alpha_ramp()])
    extra = {"planarconfig": "contig", "extrasamples": ["unassalpha"]}
    data = bytearray(tiff(values, photometric="minisblack", extratags=[(320, 3, 768, table.ravel(), True)], **extra))
    at = data.index((262).to_bytes(2, "little") + b"\3\0\1\0\0\0\1\0")
    data[at + 8] = 3
    image = read_image(bytes(data))
    assert np.array_equal(np.rint(image.pixels[..., 0] * 255), GRAY)
    assert np.array_equal(np.rint(image.alpha * 255), alpha_ramp())


def test_lab_of_floats():
    stored = lab_of(COLOUR)
    real = np.dstack([stored[..., 0] / 2.55, stored[..., 1:].view(np.int8)]).astype(np.float32)
    with pytest.warns(UserWarning, match="CIELAB is written as RGB"):
        image = read_image(tiff(real, photometric="cielab"))
    assert image.depth == 16
    assert np.abs(image.pixels * 255 - COLOUR).mean() < 1.5


def test_libraries_that_speak_of_damage_are_not_heard(capfd):
    file = io.BytesIO()
    tifffile.imwrite(file, colour_picture(), photometric="rgb", compression="jpegxr")
    data = bytearray(file.getvalue())
    start = data.index(b"II\xbc\1")
    directory = start + int.from_bytes(data[start + 4 : start + 8], "little")
    data[directory + 2 : directory + 4] = b"??"  # the number of a tag
    with contextlib.suppress(InputError):
        read_image(bytes(data))
    assert capfd.readouterr() == ("", "")
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"
