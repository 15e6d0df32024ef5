"""TIFF results are packed without loss, and stay what Pillow reads; what is laid out otherwise is left alone."""

import io

import numpy as np
import PIL.Image
import pytest
from skimage import data

from kfsr.image import Image, encode_image, read_image
from kfsr.image.tiff_deflate import deflated

PHOTO = data.astronaut()[:201, :303]
ALPHA = np.dstack([PHOTO, PHOTO[..., 1]])


def plain(picture, **options):
    buffer = io.BytesIO()
    picture.save(buffer, "TIFF", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "picture", [PHOTO, PHOTO[..., 0], ALPHA, PHOTO[:1, :1], PHOTO[:3, :5]], ids=lambda x: str(x.shape)
)
def test_pixels_of_8_bits(picture):
    file = encode_image(Image.from_array(picture), "TIFF")
    opened = PIL.Image.open(io.BytesIO(file))
    assert np.array_equal(np.asarray(opened), picture)
    assert opened.info["compression"] == "tiff_adobe_deflate"
    assert opened.tag_v2[317] == 2


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_of_16_bits(channels):
    picture = ALPHA[..., :channels].astype(np.uint16) * 256 + ALPHA[::-1, ..., :channels]
    file = encode_image(Image.from_array(picture), "TIFF")
    back = read_image(file)
    stored = back.pixels if back.alpha is None else np.dstack([back.pixels, back.alpha])
    assert back.depth == 16
    assert np.array_equal(np.rint(stored * 65535).astype(np.uint16), picture)
    assert len(file) < picture.nbytes


def test_a_photo_gets_smaller_and_keeps_its_exif():
    block = PIL.Image.Exif()
    block[0x010F] = "a camera"
    block.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    exif = PIL.Image.Exif()
    exif.load(block.tobytes())
    file = plain(PIL.Image.fromarray(PHOTO), exif=exif)
    packed = deflated(file)
    assert len(packed) < 0.8 * len(file)
    found = PIL.Image.open(io.BytesIO(packed)).getexif()
    assert found[0x010F] == "a camera"
    assert found.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"


def test_what_is_not_as_pillow_writes_it_stays_as_it_is():
    picture = PIL.Image.fromarray(PHOTO)
    pages = plain(picture, save_all=True, append_images=[picture.rotate(90)])
    for file in (
        pages,
        plain(picture, compression="tiff_lzw"),
        plain(picture.convert("1")),
        plain(picture, big_tiff=True),
        b"MM\0*" + bytes(100),
        b"no TIFF",
    ):
        assert deflated(file) == file
