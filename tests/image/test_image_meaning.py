"""What the values mean: PNG's colour chunks and the numbers of HEIC and AVIF are kept, or become a profile."""

import io
import struct
import warnings
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from image_files import colour_picture, file_bytes, gray_picture, png_bytes, png_chunk, rgb_profile
from PIL import ImageCms

from kfsr.image import Image, encode_image, ifd, iso, read_image
from kfsr.image.profiles import icc_of, meaning, to_srgb

LINEAR = png_chunk(b"gAMA", struct.pack(">I", 100000))
P3 = png_chunk(b"cICP", bytes([12, 13, 0, 1]))
PQ, HLG = (png_chunk(b"cICP", bytes([9, curve, 0, 1])) for curve in (16, 18))
LIGHTS = png_chunk(b"mDCV", bytes(24)) + png_chunk(b"cLLI", bytes(8))
WIDE = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)  # Adobe RGB
ADOBE = png_chunk(b"gAMA", struct.pack(">I", 45470)) + png_chunk(b"cHRM", WIDE)
SRGB = png_chunk(b"sRGB", b"\0")


def png(chunks, values=None):
    values = colour_picture() if values is None else values
    return png_bytes(values, 8, 2 if values.ndim == 3 else 0, chunks)


def chunks_of(data):
    at, found = 8, {}
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        found[kind] = data[at : at + 12 + length]
        at += 12 + length
    return found


def shown(values, profile):
    """uint8 (N, 3) as a screen of sRGB shows it."""
    picture = PIL.Image.fromarray(np.asarray(values, np.uint8)[None])
    return np.asarray(to_srgb(picture, profile))[0].astype(int)


@pytest.mark.parametrize("chunks", [LINEAR, P3, PQ + LIGHTS, HLG, ADOBE, SRGB])
def test_png_to_png_keeps_the_chunks(chunks):
    found = chunks_of(encode_image(read_image(png(chunks)), "PNG"))
    assert b"".join(found[kind] for kind in chunks_of(b"\0" * 8 + chunks)) == chunks
    assert list(found).index(b"IDAT") > max(list(found).index(kind) for kind in chunks_of(b"\0" * 8 + chunks))


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "TIFF", "AVIF"])
def test_elsewhere_they_become_a_profile(format):
    again = read_image(encode_image(read_image(png(LINEAR)), format))
    light = np.arange(0, 256, 5)
    stored = np.where(light <= 0.0031308 * 255, 12.92 * light, 255 * (1.055 * (light / 255) ** (1 / 2.4) - 0.055))
    got = shown(np.repeat(light[:, None], 3, 1), again.icc_profile)
    assert np.abs(got - stored[:, None]).max() <= 1


def test_a_gray_picture_gets_a_gray_profile():
    image = read_image(png(LINEAR, gray_picture()))
    assert image.channels == 1
    again = read_image(encode_image(image, "JPEG"))
    assert (again.channels, again.icc_profile[16:20]) == (1, b"GRAY")


@pytest.mark.parametrize(
    ("chunks", "colour", "expected"),
    [
        (P3, (255, 0, 0), (255, 0, 0)),
        (P3, (200, 100, 50), (215, 93, 31)),
        (P3, (128, 128, 128), (128, 128, 128)),
        (ADOBE, (128, 128, 128), (127, 127, 127)),
        (ADOBE, (100, 150, 100), (66, 151, 97)),
        (PQ, (148, 148, 148), (255, 255, 255)),  # diffuse white of 203 nits
        (PQ, (255, 255, 255), (255, 255, 255)),
        (HLG, (191, 191, 191), (254, 254, 254)),
    ],
)
def test_what_the_profiles_show(chunks, colour, expected):
    """The values of P3 and Adobe RGB by the matrices of the CSS Color 4 specification, of PQ and HLG by BT.2408."""
    said = meaning(read_image(png(chunks)).extras.colour)
    assert np.abs(shown([colour], icc_of(said, 3))[0] - expected).max() <= 2


@pytest.mark.parametrize("chunks", [b"", SRGB, png_chunk(b"gAMA", struct.pack(">I", 45455))])
def test_srgb_needs_no_profile(chunks):
    assert read_image(encode_image(read_image(png(chunks)), "JPEG")).icc_profile is None


def test_the_same_picture_gives_the_same_file():
    image = read_image(png(P3))
    assert encode_image(image, "TIFF") == encode_image(image, "TIFF")
    ImageCms.ImageCmsProfile(io.BytesIO(icc_of(meaning(image.extras.colour), 3)))


@pytest.mark.parametrize("chunks", [PQ, HLG])
def test_hdr_is_named_where_it_cannot_be_said(chunks):
    with pytest.warns(UserWarning, match="JPEG has no HDR; lights brighter than white show as white; write .png"):
        encode_image(read_image(png(chunks)), "JPEG")


def test_unknown_colours_are_named():
    image = read_image(png(png_chunk(b"cICP", bytes([22, 9, 0, 1]))))
    with pytest.warns(UserWarning, match="JPEG cannot say what its colours mean"):
        encode_image(image, "JPEG")


@pytest.mark.parametrize("body", [b"", b"\0", bytes(4), struct.pack(">I", 2**32 - 1)])
@pytest.mark.parametrize("kind", [b"gAMA", b"cHRM", b"cICP"])
def test_chunks_that_make_no_sense(kind, body):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encode_image(read_image(png(png_chunk(kind, body))), "JPEG")


def test_bmp_has_no_profile_so_the_values_change():
    dark = np.full((8, 8, 3), 55, np.uint8)
    again = read_image(encode_image(read_image(png(LINEAR, dark)), "BMP"))
    assert np.abs(again.pixels * 255 - 128).max() <= 1
    same = replace(Image.from_array(dark), icc_profile=rgb_profile())
    assert np.array_equal(read_image(encode_image(same, "BMP")).pixels, same.pixels)


@pytest.mark.parametrize(
    ("primaries", "transfer", "kept"), [(12, 13, True), (9, 16, True), (9, 18, True), (1, 13, False)]
)
def test_heic_says_it_by_numbers(primaries, transfer, kept):
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    picture = pillow_heif.from_pillow(PIL.Image.fromarray(colour_picture()))
    picture.save(file, color_primaries=primaries, transfer_characteristics=transfer)
    found = chunks_of(encode_image(read_image(file.getvalue()), "PNG"))
    assert found.get(b"cICP") == (png_chunk(b"cICP", bytes([primaries, transfer, 0, 1])) if kept else None)


def avif(primaries, transfer):
    data = bytearray(file_bytes(colour_picture(), "AVIF"))
    at = data.index(b"colrnclx") + 8
    struct.pack_into(">HH", data, at, primaries, transfer)
    return bytes(data)


def test_avif_says_it_by_numbers():
    found = chunks_of(encode_image(read_image(avif(12, 13)), "PNG"))
    assert found[b"cICP"] == P3
    assert b"cICP" not in chunks_of(encode_image(read_image(avif(1, 13)), "PNG"))
    again = read_image(encode_image(read_image(avif(12, 13)), "AVIF"))
    assert np.abs(shown([(200, 100, 50)], again.icc_profile)[0] - (215, 93, 31)).max() <= 2


def test_ten_bits_of_avif_are_kept():
    import imagecodecs

    values = (np.arange(64 * 64).reshape(64, 64) // 4)[..., None].repeat(3, 2).astype(np.uint16)
    data = imagecodecs.avif_encode(values, level=100, bitspersample=10)
    image = read_image(data)
    assert (image.depth, image.size) == (16, (64, 64))
    assert np.abs(image.pixels - values / 1023).max() < 2 / 1023
    assert len(np.unique(image.pixels)) > 256


def test_bits_of_an_avif_that_is_a_grid_of_parts():
    def box(kind, content):
        return struct.pack(">I", 8 + len(content)) + kind + content

    pixi = box(b"pixi", bytes(4) + bytes([3, 10, 10, 10]))
    assigned = box(b"ipma", bytes(4) + struct.pack(">IHBB", 1, 1, 1, 1))
    meta = bytes(4) + box(b"pitm", bytes(4) + struct.pack(">H", 1)) + box(b"iprp", box(b"ipco", pixi) + assigned)
    assert iso.properties(box(b"ftyp", b"avif" + bytes(4)) + box(b"meta", meta)).bits == 10


def test_primaries_of_a_tiff_become_a_profile():
    import tifffile

    xy = [31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600]  # BT.2020's
    ratios = [one for value in xy for one in (value, 100000)]
    file = io.BytesIO()
    tags = [(318, 5, 2, ratios[:4], True), (319, 5, 6, ratios[4:], True)]
    tifffile.imwrite(file, colour_picture(), photometric="rgb", metadata=None, extratags=tags)
    image = read_image(file.getvalue())
    assert chunks_of(encode_image(image, "PNG"))[b"cHRM"] == png_chunk(b"cHRM", struct.pack(">8I", *xy))
    profile = read_image(encode_image(image, "TIFF")).icc_profile
    assert np.abs(shown([(128, 128, 128)], profile)[0] - 128).max() <= 1
    assert shown([(150, 100, 100)], profile)[0][0] > 165


def adobe_jpeg():
    """As a camera writes it that embeds no profile: DCF 2.0 says Adobe RGB by EXIF's interoperability index."""
    index = ifd.Directory((ifd.Entry(1, ifd.ASCII, b"R03\0"),))
    exif = ifd.Directory((ifd.Entry.of(0xA001, ifd.SHORT, 65535),), {ifd.INTEROP: index})
    return file_bytes(colour_picture(), "JPEG", exif=ifd.exif_block(ifd.Directory((), {ifd.EXIF: exif})))


def test_adobe_rgb_by_exif():
    image = read_image(adobe_jpeg())
    for format in ("TIFF", "WEBP"):
        profile = read_image(encode_image(image, format)).icc_profile
        assert np.abs(shown([(100, 150, 100)], profile)[0] - (66, 151, 97)).max() <= 2
    assert read_image(encode_image(image, "JPEG")).icc_profile is None  # its EXIF says it
    assert b"cHRM" in chunks_of(encode_image(image, "PNG"))
