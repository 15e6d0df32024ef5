"""What the tests of the command line share: small real photographs in a folder of their own."""

import PIL.Image
import pytest
from skimage import data


@pytest.fixture
def photos(tmp_path):
    """A fresh folder with face.png (80x64), cat.jpg (90x70) and gray.png (64x66)."""
    PIL.Image.fromarray(data.astronaut()[90:154, 190:270]).save(tmp_path / "face.png")
    PIL.Image.fromarray(data.chelsea()[100:170, 130:220]).save(tmp_path / "cat.jpg", quality=95)
    PIL.Image.fromarray(data.camera()[100:166, 200:264]).save(tmp_path / "gray.png")
    return tmp_path
