"""Sizes without pixels: those that reading gives, and the same refusals."""

import PIL.Image
import pytest

from kfsr.errors import InputError
from kfsr.image import read_image, read_size, supported_formats


@pytest.mark.parametrize("kind", supported_formats())
def test_the_size_is_that_of_the_picture(tmp_path, kind):
    path = tmp_path / f"a{supported_formats()[kind][0]}"
    PIL.Image.new("RGB", (31, 17), "red").save(path)
    assert read_size(path) == read_size(path.read_bytes()) == read_image(path).size == (31, 17)


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x89PNG\r\n\x1a\nxxxx", None], ids=["empty", "text", "cut", "none"]
)
def test_what_reading_refuses(tmp_path, content):
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as reading:
        read_image(path)
    with pytest.raises(InputError) as looking:
        read_size(path)
    assert str(looking.value) == str(reading.value)


def test_too_many_pixels(tmp_path):
    PIL.Image.new("RGB", (31, 17), "red").save(tmp_path / "a.png")
    with pytest.raises(InputError, match="limit of 500"):
        read_size(tmp_path / "a.png", max_pixels=500)


def test_damage_further_on_is_not_seen(tmp_path):
    PIL.Image.effect_noise((64, 48), 50).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    assert read_size(data[: len(data) // 2]) == (64, 48)
