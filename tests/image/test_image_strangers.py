"""Files that are not read are called by their names, with the way out."""

import imagecodecs
import pytest
from image_files import colour_picture, file_bytes, png_bytes, png_chunk

from kfsr.errors import InputError
from kfsr.image import read_image, read_size

PNG = png_bytes(colour_picture(), 8, 2)
FORMATS = {
    "JPEG XL": imagecodecs.jpegxl_encode(colour_picture()),
    "JPEG 2000": file_bytes(colour_picture(), "JPEG2000"),
    "JPEG XR": imagecodecs.jpegxr_encode(colour_picture()),
    "PSD": b"8BPS\0\1" + bytes(50),
    "OpenEXR": b"\x76\x2f\x31\x01" + bytes(50),
    "Radiance HDR": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n",
    "FITS": b"SIMPLE  =                    T",
    "DICOM": bytes(128) + b"DICM" + bytes(50),
    "ICO": file_bytes(colour_picture(), "ICO"),
    "Netpbm": file_bytes(colour_picture(), "PPM"),
    "QOI": imagecodecs.qoi_encode(colour_picture()),
    "DDS": file_bytes(colour_picture(), "DDS"),
    "PCX": file_bytes(colour_picture(), "PCX"),
    "SGI": file_bytes(colour_picture(), "SGI"),
}
OTHERS = {
    "a page of the web and not a picture": b"<!DOCTYPE html><html>404</html>",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\n",
    "a PDF": b"%PDF-1.7\n",
    "a drawing (SVG)": b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>",
    "a ZIP archive": b"PK\3\4" + bytes(50),
    "a film": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(50),
    "a HEIF of a kind that is not read": b"\0\0\0\x18ftypavci\0\0\0\0avcimif1" + bytes(50),
}
KINDS = {
    "JPEG-LS": imagecodecs.jpegls_encode(colour_picture()),
    "12-bit JPEG": imagecodecs.jpeg_encode(colour_picture().astype("uint16") * 16, bitspersample=12),
    "PNG in the form of Apple's programs (CgBI)": PNG[:8] + png_chunk(b"CgBI", b"P\0 \2") + PNG[8:],
}


def refusal(data):
    messages = set()
    for read in (read_image, read_size):
        with pytest.raises(InputError) as caught:
            read(data, "photo.png")
        messages.add(str(caught.value))
    (message,) = messages
    assert message.startswith("photo.png: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", FORMATS)
def test_other_formats(name):
    message = refusal(FORMATS[name])
    assert f"is a picture in the format {name}" in message
    assert "which is not read; convert it to one of PNG, JPEG" in message


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_picture(name):
    assert f"photo.png: is {name}" in refusal(OTHERS[name])


@pytest.mark.parametrize("name", KINDS)
def test_sound_files_of_another_kind_are_not_called_damaged(name):
    assert f"photo.png: {name} is not supported; convert it" in refusal(KINDS[name])


def test_a_targa_is_no_cursor():
    assert "not an image that can be read" in refusal(file_bytes(colour_picture(), "TGA"))
