"""Previews are never taken for the picture: camera raws, and TIFFs whose first page is a reduced one."""

import io
import struct

import numpy as np
import pytest
import tifffile
from image_files import colour_picture, file_bytes, gray_picture

from kfsr.errors import InputError
from kfsr.image import read_image, read_pages, read_size

SMALL, WHOLE = colour_picture()[::4, ::4], colour_picture()
MOSAIC = gray_picture().astype(np.uint16) * 257


def written(*pages):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for values, options in pages:
            writer.write(values, **{"photometric": "rgb", "metadata": None} | options)
    return file.getvalue()


def dng(version=True):
    tags = [(50706, 1, 4, bytes([1, 4, 0, 0]), True)] if version else []
    return written((SMALL, {"subfiletype": 1, "subifds": 1, "extratags": tags}), (MOSAIC, {"photometric": 32803}))


RAWS = {
    "DNG": dng(),
    "raw of TIFF form": dng(version=False),
    "linear raw": written((SMALL, {"subfiletype": 1, "subifds": 1}), (WHOLE, {"photometric": 34892})),
    "mosaic in the first directory": written((MOSAIC, {"photometric": 32803})),
    "NEF compression": written((SMALL, {})).replace(
        struct.pack("<HHII", 259, 3, 1, 1), struct.pack("<HHII", 259, 3, 1, 34713)
    ),
    "CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(100),
    "ORF": b"IIRO\x08\0\0\0" + bytes(100),
    "RW2": b"IIU\0\x18\0\0\0" + bytes(100),
    "RAF": b"FUJIFILMCCD-RAW 0201" + bytes(100),
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(100),
    "X3F": b"FOVb" + bytes(100),
    "MRW": b"\0MRM" + bytes(100),
    "IIQ": b"II*\0\x28\0\0\0IIIITwaR" + bytes(100),
    "IIQ from its maker's notes on": b"MMMMRawT" + bytes(100),
    "CRW": b"II\x1a\0\0\0HEAPCCDR" + bytes(100),
}


@pytest.mark.parametrize("data", RAWS.values(), ids=RAWS)
@pytest.mark.parametrize("read", [read_image, read_size])
def test_a_camera_raw_is_refused_with_the_way_out(data, read):
    with pytest.raises(InputError) as caught:
        read(data, "photo.raw")
    message = str(caught.value)
    assert message.startswith("photo.raw: is a camera raw")
    assert "develop it to a 16-bit TIFF first" in message
    assert "\n" not in message


def test_a_tiff_that_is_no_raw_is_none():
    assert read_image(written((WHOLE, {}))).size == (64, 48)
    assert read_image(file_bytes(WHOLE, "TIFF")).size == (64, 48)


MASK = struct.pack("<HHII", 254, 4, 1, 4)
OLD_REDUCED = [(255, 3, 1, 2, True)]
FIRST_PAGES = {
    "reduced": written((SMALL, {"subfiletype": 1}), (WHOLE, {})),
    "reduced, in the old words": written((SMALL, {"extratags": OLD_REDUCED}), (WHOLE, {})),
    "mask": written((SMALL, {"subfiletype": 1}), (WHOLE, {})).replace(struct.pack("<HHII", 254, 4, 1, 1), MASK, 1),
    "two reduced ones": written((SMALL, {"subfiletype": 1}), (SMALL, {"subfiletype": 1}), (WHOLE, {})),
    "preview with the picture below": written((SMALL, {"subfiletype": 1, "subifds": 1}), (WHOLE, {})),
    "picture with its smaller forms below": written((WHOLE, {"subifds": 1}), (SMALL, {"subfiletype": 1})),
    "picture and its smaller form": written((WHOLE, {}), (SMALL, {"subfiletype": 1})),
}


@pytest.mark.parametrize("data", FIRST_PAGES.values(), ids=FIRST_PAGES)
@pytest.mark.filterwarnings("error")
def test_of_several_pages_the_one_of_full_size_is_taken(data):
    image = read_image(data)
    assert np.array_equal(np.rint(image.pixels * 255), WHOLE)
    assert read_size(data) == (64, 48)
    assert read_pages(data).count == 1


def test_where_all_pages_are_reduced_the_first_is_taken():
    assert read_image(written((SMALL, {"subfiletype": 1}))).size == (16, 12)
