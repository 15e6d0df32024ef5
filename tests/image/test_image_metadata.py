"""XMP and resolution: what travels beside the pixels from format to format."""

import io
import time
import warnings

import numpy as np
import PIL.Image
import pytest
from image_files import colour_picture, exif_block, file_bytes, png_bytes, png_chunk

from kfsr.image import Image, encode_image, read_image
from kfsr.image.xmp import announced, enlarged_xmp, tidy_xmp

XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmp:Rating="5"%s>%s<dc:creator>Zo\xc3\xab</dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>\n'
    b'<?xpacket end="w"?>'
)
PLAIN = XMP % (b"", b"")
STALE = XMP % (
    b' tiff:Orientation="6"\ntiff:ImageWidth = \'64\' exif:PixelYDimension="48" xmpNote:HasExtendedXMP="00FF"',
    b"<tiff:Orientation>6</tiff:Orientation><exif:PixelXDimension>64</exif:PixelXDimension>",
)
HOLD_XMP = ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"]
HOLD_DPI = ["PNG", "JPEG", "TIFF", "BMP"]


def png_with_xmp(packet):
    content = b"XML:com.adobe.xmp\0\0\0\0\0" + packet
    return png_bytes(colour_picture(), 8, 2, png_chunk(b"iTXt", content))


def tiff_with_xmp(packet):
    return file_bytes(colour_picture(), "TIFF", tiffinfo={700: packet})


WITH_XMP = {
    "PNG": png_with_xmp,
    "TIFF": tiff_with_xmp,
    "JPEG": lambda packet: file_bytes(colour_picture(), "JPEG", xmp=packet),
    "WEBP": lambda packet: file_bytes(colour_picture(), "WEBP", xmp=packet),
    "AVIF": lambda packet: file_bytes(colour_picture(), "AVIF", xmp=packet),
}


@pytest.mark.parametrize("source", HOLD_XMP)
@pytest.mark.parametrize("target", HOLD_XMP)
def test_xmp_goes_from_every_format_to_every_other(source, target):
    image = read_image(WITH_XMP[source](STALE))
    assert b"".join(image.xmp.split()) == b"".join(PLAIN.split())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = encode_image(image, target)
    assert PIL.Image.open(io.BytesIO(data)).info["xmp"] == image.xmp
    assert read_image(data).xmp == image.xmp


@pytest.mark.parametrize("target", HOLD_XMP)
def test_xmp_and_exif_go_together(target):
    image = Image(Image.from_array(colour_picture()).pixels, exif=exif_block(), xmp=PLAIN)
    found = PIL.Image.open(io.BytesIO(encode_image(image, target)))
    assert found.info["xmp"] == PLAIN
    assert found.getexif()[0x010F] == "Kfsr Optics"


def test_xmp_stays_where_exif_cannot_be_stored():
    block = exif_block()[:12]  # cut off
    image = Image(Image.from_array(colour_picture()).pixels, exif=block, xmp=PLAIN)
    with pytest.warns(UserWarning, match="EXIF cannot be stored and is left out"):
        assert read_image(encode_image(image, "TIFF")).xmp == PLAIN


def test_xmp_too_large_for_jpeg_is_left_out_with_a_warning():
    fits, not_fits = (XMP % (b"", b" " * n) for n in (65504 - len(PLAIN), 65505 - len(PLAIN)))
    pixels = Image.from_array(colour_picture()).pixels
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(encode_image(Image(pixels, xmp=fits), "JPEG")).xmp == fits
    with pytest.warns(UserWarning, match="XMP is too large for JPEG and is left out"):
        assert read_image(encode_image(Image(pixels, xmp=not_fits), "JPEG")).xmp is None


@pytest.mark.parametrize("raw", [None, 7, b"", b"no packet", PLAIN + b"\xff"])
def test_what_is_no_xmp_is_dropped(raw):
    assert tidy_xmp(raw) is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32-le"])
def test_a_packet_in_another_encoding_becomes_utf_8(encoding):
    assert tidy_xmp(PLAIN.decode().encode(encoding)) == PLAIN.replace(b"\xef\xbb\xbf", b"")


def test_a_packet_as_text_and_one_with_a_null_at_its_end():
    assert tidy_xmp(PLAIN.decode()) == PLAIN
    assert tidy_xmp(PLAIN + b"\0") == PLAIN


GAIN = b" xmlns:g='http://ns.adobe.com/hdr-gain-map/1.0/'"


@pytest.mark.parametrize("head", [b"", GAIN, b"".join(GAIN.replace(b":g=", b":g%d=" % n) for n in range(50))])
@pytest.mark.parametrize(
    "piece",
    [
        *(b"<tiff:Orientation>", b"<tiff:Orientation", b" tiff:Orientation ", b' tiff:Orientation="', b" "),
        *(b"<g:x>", b"<g:x ", b" g:x ", b" g:x='", b"<a:MotionPhoto>", b" a:MotionPhoto ", b" xmlns:g='", b"<g:%d>"),
        *(b"<GPano:FullPanoWidthPixels>1", b" stDim:w='1", b" stDim:w "),
    ],
)
def test_a_hostile_packet_takes_no_time(piece, head):
    """A megabyte; an expression that starts over at every byte would need hours."""
    start = time.process_time()
    count = 10**6 // len(piece)
    body = b"".join(piece % n for n in range(count)) if b"%d" in piece else piece * count
    packet = b"<rdf:RDF" + head + b">" + body
    tidy_xmp(packet)
    announced(packet)
    enlarged_xmp(packet, 2)
    assert time.process_time() - start < 20


@pytest.mark.parametrize("source", HOLD_DPI)
@pytest.mark.parametrize("target", HOLD_DPI)
@pytest.mark.parametrize("dpi", [(300, 300), (72, 150)])
def test_resolution_goes_from_every_format_to_every_other(source, target, dpi):
    image = read_image(file_bytes(colour_picture(), source, dpi=dpi))
    assert image.dpi == dpi
    again = read_image(encode_image(image.with_pixels(np.repeat(image.pixels, 2, axis=1)), target))
    assert again.dpi == dpi
    found = PIL.Image.open(io.BytesIO(encode_image(image, target))).info["dpi"]
    assert found == pytest.approx(dpi, abs=0.02)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_resolution_turns_with_the_pixels(format):
    image = read_image(file_bytes(colour_picture(), format, dpi=(300, 150), exif=exif_block(6)))
    assert image.size == (48, 64)
    assert image.dpi == (150, 300)


@pytest.mark.parametrize("dpi", [(0, 0), (1, 1), (300, 0), (10**6, 10**6)])
def test_resolution_that_makes_no_sense_is_dropped(dpi):
    metres = [min(2**32 - 1, round(value / 0.0254)) for value in dpi]
    chunk = png_chunk(b"pHYs", b"".join(value.to_bytes(4, "big") for value in metres) + b"\1")
    image = read_image(png_bytes(colour_picture(), 8, 2, chunk))
    assert image.dpi is None
    encode_image(image, "JPEG")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_no_resolution_is_made_up(format):
    data = encode_image(read_image(file_bytes(colour_picture(), "PNG")), format)
    assert read_image(data).dpi is None


def test_resolution_in_centimetres():
    info = {282: 118.11, 283: 118.11, 296: 3}
    assert read_image(file_bytes(colour_picture(), "TIFF", tiffinfo=info)).dpi == (300, 300)
