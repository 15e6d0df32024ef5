"""Text in any encoding, IPTC, comments, PNG's texts and places on the map: kept byte for byte, or named once."""

import io
import struct
import warnings

import numpy as np
import PIL.Image
import pytest
import tifffile
from image_files import colour_picture, file_bytes, gray_picture, png_bytes, png_chunk, rgb_profile

from kfsr.image import Image, encode_image, ifd, jpeg, older, read_image
from kfsr.image.png import raw_profile_chunk

TEXTS = ["castle", "Zoë, 10 µm", "写真", "Ελλάδα"]
ENCODED = [
    *(text.encode("utf-8") for text in TEXTS),
    "Zoë, 10 µm".encode("latin-1"),
    "写真".encode("shift-jis"),
    "Ελλάδα".encode("iso-8859-7"),
    b"\xff\xfe\x80 no text at all \x81",
]
DESCRIPTION, ARTIST, COPYRIGHT, TITLE, COMMENT = 0x010E, 0x013B, 0x8298, 0x9C9B, 0x9286


def exif_of(text, order="<"):
    inner = ifd.Directory((ifd.Entry(COMMENT, ifd.UNDEFINED, b"UNICODE\0" + text),))
    tags = [ifd.Entry(tag, ifd.ASCII, text + b"\0") for tag in (DESCRIPTION, ARTIST, COPYRIGHT)]
    block = ifd.exif_block(ifd.Directory((*tags, ifd.Entry(TITLE, ifd.BYTE, text)), {ifd.EXIF: inner}))
    assert order == "<"
    return block


def texts_of(exif):
    tags = ifd.parse_exif(exif)
    found = [tags.get(tag).value for tag in (DESCRIPTION, ARTIST, COPYRIGHT, TITLE)]
    return [*found, tags.inner[ifd.EXIF].get(COMMENT).value]


HOLD_EXIF = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"]


@pytest.mark.parametrize("text", ENCODED)
@pytest.mark.parametrize("source", HOLD_EXIF)
@pytest.mark.parametrize("target", HOLD_EXIF)
def test_text_in_exif_stays_byte_for_byte(source, target, text):
    image = Image(Image.from_array(colour_picture()).pixels, exif=exif_of(text))
    again = read_image(encode_image(read_image(encode_image(image, source)), target))
    assert texts_of(again.exif) == texts_of(image.exif)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("text", ENCODED)
def test_text_of_a_tiff_stays_byte_for_byte(text, big, order):
    file = io.BytesIO()
    tags = [(tag, 2, 0, text, True) for tag in (DESCRIPTION, ARTIST, COPYRIGHT, 0x010D)]
    options = {"byteorder": order, "bigtiff": big, "metadata": None, "software": False}
    tifffile.imwrite(file, gray_picture(), extratags=tags, **options)
    image = read_image(file.getvalue())
    page = tifffile.TiffFile(io.BytesIO(encode_image(image, "TIFF"))).pages[0]
    for tag in (DESCRIPTION, ARTIST, COPYRIGHT, 0x010D):
        found = page.tags[tag]
        page.parent.filehandle.seek(found.valueoffset)
        assert page.parent.filehandle.read(found.valuebytecount).rstrip(b"\0") == text


def test_numbers_change_their_byte_order_and_stay_what_they_are():
    exif = PIL.Image.Exif()
    exif[0x010F], exif[0x8298] = "Kfsr Optics", "me"
    exif[0x8769] = {0x829A: 0.125, 0x8827: 400, 0x9204: -1.5, 0xA432: (24.0, 70.0, 2.8, 4.0)}
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 14.5), 5: b"\0"}
    exif.endian = ">"
    block = exif.tobytes()
    assert block[6:8] == b"MM"
    image = Image(Image.from_array(colour_picture()).pixels, exif=block)
    found = PIL.Image.open(io.BytesIO(encode_image(image, "TIFF"))).getexif()
    inner, place = found.get_ifd(0x8769), found.get_ifd(0x8825)
    assert (inner[0x829A], inner[0x8827], inner[0x9204]) == (0.125, 400, -1.5)
    assert tuple(map(float, inner[0xA432])) == pytest.approx((24, 70, 2.8, 4))
    assert (place[1], tuple(map(float, place[2]))) == ("N", (48.0, 8.0, 14.5))


def test_text_in_16_bits_turns_with_the_byte_order():
    text = "Zoë 写真"
    inner = PIL.Image.Exif()
    inner[0x8769] = {COMMENT: b"UNICODE\0" + text.encode("utf-16-be")}
    inner.endian = ">"
    image = Image(Image.from_array(colour_picture()).pixels, exif=inner.tobytes())
    assert image.exif[6:8] == b"MM"
    again = read_image(encode_image(image, "TIFF"))
    found = ifd.parse_exif(again.exif).inner[ifd.EXIF].get(COMMENT).value
    assert found == b"UNICODE\0" + text.encode("utf-16-le")


def test_resolution_in_exif_alone_goes_into_a_tiff():
    tags = [ifd.Entry.of(tag, ifd.RATIONAL, 240, 1) for tag in (282, 283)]
    exif = ifd.exif_block(ifd.Directory((*tags, ifd.Entry.of(296, ifd.SHORT, 2))))
    image = Image(Image.from_array(colour_picture()).pixels, exif=exif)
    assert read_image(encode_image(image, "TIFF")).dpi == (240, 240)


def test_of_two_iptc_blocks_in_a_tiff_the_longer_one_is_taken():
    tags = {33723: IPTC[:11], 34377: jpeg.resources_of(IPTC)}
    assert read_image(file_bytes(colour_picture(), "TIFF", tiffinfo=tags)).extras.iptc == IPTC


IPTC = b"\x1c\x02\x19\0\x06castle\x1c\x02\x78\0\x04Zo\xc3\xab"


def with_iptc(format):
    if format == "JPEG":
        block = jpeg.PHOTOSHOP + b"8BIM" + struct.pack(">HBBI", 0x03ED, 0, 0, 4) + bytes(4) + jpeg.resources_of(IPTC)
        return jpeg.with_segments(file_bytes(colour_picture(), "JPEG"), [(0xED, block)])
    if format == "TIFF":
        return file_bytes(colour_picture(), "TIFF", tiffinfo={33723: IPTC})
    return png_bytes(colour_picture(), 8, 2, raw_profile_chunk(b"iptc", jpeg.resources_of(IPTC)))


@pytest.mark.parametrize("source", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("target", ["JPEG", "PNG", "TIFF"])
@pytest.mark.filterwarnings("error")
def test_iptc_goes_from_every_format_to_every_other(source, target):
    image = read_image(with_iptc(source))
    assert image.extras.iptc.rstrip(b"\0") == IPTC
    assert read_image(encode_image(image, target)).extras.iptc.rstrip(b"\0") == IPTC


def test_iptc_of_photoshops_tag_in_a_tiff():
    resources = jpeg.resources_of(IPTC)
    image = read_image(file_bytes(colour_picture(), "TIFF", tiffinfo={34377: resources}))
    assert image.extras.iptc == IPTC


def test_iptc_in_several_segments():
    block = jpeg.resources_of(IPTC + bytes(200))
    halves = [(0xED, jpeg.PHOTOSHOP + part) for part in (block[:100], block[100:])]
    image = read_image(jpeg.with_segments(file_bytes(colour_picture(), "JPEG"), halves))
    assert image.extras.iptc.startswith(IPTC)


@pytest.mark.parametrize("comment", [b"hello", "Zoë".encode(), "Zoë".encode("latin-1")])
def test_comments(comment):
    image = read_image(file_bytes(colour_picture(), "JPEG", comment=comment))
    two = jpeg.with_segments(file_bytes(colour_picture(), "JPEG", comment=comment), [(0xFE, b"second")])
    assert read_image(encode_image(read_image(two), "JPEG")).extras.comments == (b"second", comment)
    kind, content = read_image(encode_image(image, "PNG")).extras.texts[0]
    assert content.startswith(b"Comment\0")
    assert content.endswith(b"\0" + comment)
    assert kind == (b"tEXt" if comment != "Zoë".encode() else b"iTXt")
    found = PIL.Image.open(io.BytesIO(encode_image(image, "PNG"))).text["Comment"]
    assert found == comment.decode("utf-8" if kind == b"iTXt" else "latin-1")


def test_a_comment_of_a_gif():
    assert read_image(file_bytes(colour_picture(), "GIF", comment=b"hello")).extras.comments == (b"hello",)


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:creator="me"/></rdf:RDF></x:xmpmeta>'
)


def gif_with(name, content, frames=1):
    """A GIF with an application's extension before its first, or behind its last picture."""
    pictures = [PIL.Image.fromarray(np.full((8, 8), 50 * n, np.uint8)) for n in range(1, frames + 1)]
    data = file_bytes(pictures[0], "GIF", save_all=True, append_images=pictures[1:])
    extension = b"\x21\xff\x0b" + name + content
    at = 13 + (3 << ((data[10] & 7) + 1))
    return data[:at] + extension + data[at:] if frames == 1 else data[:-1] + extension + data[-1:]


@pytest.mark.parametrize("frames", [1, 3])
def test_xmp_and_profile_of_a_gif(frames):
    trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    assert read_image(gif_with(b"XMP DataXMP", XMP + trailer, frames), page=1).xmp == XMP
    profile = rgb_profile()
    blocks = b"".join(
        bytes([len(profile[at : at + 255])]) + profile[at : at + 255] for at in range(0, len(profile), 255)
    )
    coloured = PIL.Image.fromarray(colour_picture()).quantize(16)
    data = file_bytes(coloured, "GIF")
    at = 13 + (3 << ((data[10] & 7) + 1))
    data = data[:at] + b"\x21\xff\x0bICCRGBG1012" + blocks + b"\0" + data[at:]
    assert read_image(data).icc_profile == profile
    for end in range(13, len(data), 7):  # cut off anywhere
        assert older.of_gif(data[:end])[0] in (None, profile) or end < at + len(blocks) + 15


def test_the_profile_of_a_bmp():
    profile = rgb_profile()
    rows = colour_picture()[::-1, :, ::-1].tobytes()
    head = struct.pack("<IiiHHIIiiII", 124, 64, 48, 1, 24, 0, len(rows), 2835, 2835, 0, 0) + bytes(16)
    head += b"DEBM" + bytes(48) + struct.pack("<IIII", 4, 124 + len(rows), len(profile), 0)
    data = b"BM" + struct.pack("<IHHI", 138 + len(rows) + len(profile), 0, 0, 138) + head + rows + profile
    found = read_image(data)
    assert np.array_equal(np.rint(found.pixels * 255), colour_picture())
    assert found.icc_profile == profile
    assert read_image(data[:-1]).icc_profile is None


def test_texts_of_a_png_stay_as_they_are():
    chunks = [
        (b"tEXt", b"parameters\0a tree, Steps: 20"),
        (b"tEXt", "Title\0Zoë".encode("latin-1")),
        (b"zTXt", b"workflow\0\0x\x9cKL*NI+\2\0\7\x7f\2W"),
        (b"iTXt", "Author\0\0\0de\0Verfasser\0Zoë 写真".encode()),
        (b"tEXt", b"Title\0second"),
    ]
    stale = png_chunk(b"tEXt", b"Thumb::Image::Width\x0064") + png_chunk(b"tEXt", b"exif:ExifImageWidth\x0064")
    image = read_image(png_bytes(colour_picture(), 8, 2, b"".join(png_chunk(*one) for one in chunks) + stale))
    assert image.extras.texts == tuple(chunks)
    assert read_image(encode_image(image, "PNG")).extras.texts == tuple(chunks)


def geotiff(raster_type=1, **more):
    keys = (1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1, raster_type)
    tags = {33550: (12, (10.0, 20.0, 0.0)), 33922: (12, (4, 6, 0, 500000.0, 4100000.0, 0)), 34735: (3, keys)}
    tags |= {34737: (2, b"WGS 84|\0"), 42113: (2, b"-9999\0")} | more.pop("tags", {})
    for gone in more.pop("without", ()):
        del tags[gone]
    file = io.BytesIO()
    extra = [(tag, kind, len(value), value, True) for tag, (kind, value) in tags.items()]
    tifffile.imwrite(file, gray_picture(), metadata=None, software=False, extratags=extra, **more)
    return file.getvalue()


def enlarged(data, scale):
    image = read_image(data)
    pixels = np.kron(image.pixels, np.ones((scale, scale, 1), np.float32))
    return tifffile.TiffFile(io.BytesIO(encode_image(image.resized(pixels, None, scale), "TIFF"))).pages[0].tags


def place(tags, column, row):
    """Where a corner of pixels lies: columns and rows count from the outer corner of the first pixel."""
    shift = 0.5 if 2 in tags[34735].value[9:12] else 0.0  # points count from its middle
    if 34264 in tags:
        matrix = np.reshape(tags[34264].value, (4, 4))
        return (matrix @ [column - shift, row - shift, 0, 1])[:2]
    (across, down, _), (i, j, _, x, y, _) = tags[33550].value, tags[33922].value
    return np.array([x + (column - shift - i) * across, y - (row - shift - j) * down])


MATRIX = {34264: (12, (10.0, 1.0, 0, 5e5, -2.0, -20.0, 0, 4.1e6, 0, 0, 0, 0, 0, 0, 0, 1.0))}


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("raster_type", [1, 2], ids=["area", "point"])
@pytest.mark.parametrize("more", [{}, {"tags": MATRIX, "without": (33550, 33922)}], ids=["tie point", "matrix"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_corners_of_a_map_stay_in_their_places(scale, raster_type, more, order):
    data = geotiff(raster_type, byteorder=order, **more)
    before, after = tifffile.TiffFile(io.BytesIO(data)).pages[0].tags, enlarged(data, scale)
    for column, row in [(0, 0), (64, 0), (0, 48), (64, 48), (7, 9)]:
        assert place(after, scale * column, scale * row) == pytest.approx(place(before, column, row), abs=1e-6)
    for tag in (34735, 34737, 42113):
        assert after[tag].value == before[tag].value


def test_the_place_of_a_map_that_is_turned_is_named():
    file = io.BytesIO()
    tags = [(274, 3, 1, 6, True), (33550, 12, 3, (10.0, 10.0, 0.0), True), (33922, 12, 6, (0.0,) * 6, True)]
    tifffile.imwrite(file, gray_picture(), extratags=tags, metadata=None)
    with pytest.warns(UserWarning, match=r"m.tif: its place on the map \(GeoTIFF\) cannot be kept"):
        found = read_image(file.getvalue(), "m.tif")
    assert found.size == (48, 64)
    assert not found.extras.tags


def test_gdals_statistics_go_and_the_rest_of_its_metadata_stays():
    text = (
        b'<GDALMetadata>\n  <Item name="AREA">x</Item>\n  <Item name="STATISTICS_MEAN" sample="0">7</Item>\n'
        b"</GDALMetadata>\0"
    )
    after = enlarged(geotiff(tags={42112: (2, text)}), 2)
    assert "STATISTICS" not in after[42112].value
    assert '<Item name="AREA">x</Item>' in after[42112].value


def test_a_camera_model_counts_the_new_pixels():
    model = [0.0] * 92
    model[2:4], model[7:9] = (100.0, 200.0), (100.0, 200.0)
    after = enlarged(geotiff(tags={50844: (12, tuple(model))}), 2)[50844].value
    assert (after[2:4], after[7:9]) == ((200.5, 400.5), (200.0, 400.0))


EVERYTHING = {
    "IPTC": lambda: with_iptc("JPEG"),
    "the comment": lambda: file_bytes(colour_picture(), "JPEG", comment=b"hello"),
    "the texts of the PNG (Title, a, b, ...)": lambda: png_bytes(
        colour_picture(), 8, 2, b"".join(png_chunk(b"tEXt", one + b"\0x") for one in (b"Title", b"a", b"b", b"c"))
    ),
    "the place on the map (GeoTIFF)": geotiff,
    "2 further channels": lambda: tiff_of_planes(),
}
HELD = {
    "PNG": {"IPTC", "the comment", "the texts of the PNG (Title, a, b, ...)"},
    "JPEG": {"IPTC", "the comment"},
    "TIFF": {"IPTC", "the place on the map (GeoTIFF)", "2 further channels"},
    "WEBP": set(),
    "AVIF": set(),
    "BMP": set(),
}


def tiff_of_planes():
    file = io.BytesIO()
    values = np.dstack([colour_picture(), gray_picture(), gray_picture()])
    tifffile.imwrite(file, values, photometric="rgb", extrasamples=["unspecified"] * 2, metadata=None, software=False)
    return file.getvalue()


@pytest.mark.parametrize("format", HELD)
@pytest.mark.parametrize("what", EVERYTHING)
def test_what_a_format_cannot_hold_is_named_once(what, format):
    image = read_image(EVERYTHING[what]())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        encode_image(image, format)
    expected = [] if what in HELD[format] else [f"{format} cannot hold {what}; left out"]
    assert [str(one.message) for one in said] == expected


def test_bmp_names_exif_and_xmp():
    image = Image(Image.from_array(colour_picture()).pixels, exif=exif_of(b"a"), xmp=b"<rdf:RDF/>")
    with pytest.warns(UserWarning, match="^BMP cannot hold EXIF, XMP; left out$"):
        encode_image(image, "BMP")


def test_stripping_takes_all_of_it():
    bare = read_image(with_iptc("JPEG")).stripped()
    assert (bare.extras.iptc, bare.extras.comments, bare.extras.texts) == (None, (), ())


@pytest.mark.parametrize("format", ["WEBP", "AVIF"])
def test_resolution_goes_into_exif_where_it_has_no_other_place(format):
    image = Image(Image.from_array(colour_picture()).pixels, dpi=(300, 150))
    assert read_image(encode_image(image, format)).dpi == (300, 150)
