"""Reading files into memory: no more of them than it takes to refuse them, and once."""

import os
import threading
import tracemalloc

import numpy as np
import pytest
from image_files import colour_picture, file_bytes, gray_picture, png_bytes

from kfsr.errors import InputError
from kfsr.image import read_bytes, read_image, read_size

MIB = 2**20


def with_tail(path, data, length):
    """A file that begins with `data` and is `length` bytes long, which take no room on the disk."""
    path.write_bytes(data)
    os.truncate(path, length)
    return path


def refusal(call, *args, **options):
    """(message, the most memory it took)."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            call(*args, **options)
        return str(caught.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("read", [read_bytes, read_image, read_size])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP", "GIF"])
def test_a_header_that_promises_too_much_is_enough(read, format, tmp_path):
    path = with_tail(tmp_path / "big.img", file_bytes(gray_picture(), format), 40 * MIB)
    message, memory = refusal(read, path, max_pixels=3071)
    assert message == (
        f"{path}: 64 x 48 pixels are more than the limit of 3071; make the picture smaller or raise the limit"
    )
    assert memory < 2 * MIB


@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF"])
def test_a_file_far_too_long_for_its_limit_is_not_read(format, tmp_path):
    path = with_tail(tmp_path / "long.img", file_bytes(colour_picture(), format), 80 * MIB)
    message, memory = refusal(read_image, path, max_pixels=4000)
    assert message == f"{path}: the file is too long for 4000 pixels; convert it or raise the limit"
    assert memory < 2 * MIB
    assert read_image(path, max_pixels=4 * MIB).size == (64, 48)


def test_a_header_that_lies_low_does_not_get_past_the_limit(tmp_path):
    data = png_bytes(gray_picture(), 8, 0, size=(60000, 60000))
    path = tmp_path / "bomb.png"
    path.write_bytes(data)
    assert "60000 x 60000 pixels are more than" in refusal(read_image, path)[0]


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_the_bytes_are_those_of_the_file_and_are_read_once(format, tmp_path):
    data, path = file_bytes(colour_picture(), format), tmp_path / "a.img"
    path.write_bytes(data)
    assert read_bytes(path) == data
    path.unlink()
    assert np.array_equal(read_image(data, str(path)).pixels, read_image(data).pixels)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_cannot_be_wound_back_and_is_read_all_the_same(tmp_path):
    data, path = file_bytes(colour_picture(), "PNG"), tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    try:
        assert read_image(path).size == (64, 48)
    finally:
        writer.join()


def test_what_is_no_picture_is_not_read(tmp_path):
    path = with_tail(tmp_path / "film.mov", b"not a picture", 40 * MIB)
    message, memory = refusal(read_bytes, path)
    assert message.startswith(f"{path}: not an image that can be read")
    assert memory < 2 * MIB
