"""A folder of photographs, small enough to train on within seconds."""

import pytest
from PIL import Image
from skimage import data


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for picture in (data.astronaut, data.coffee):
        Image.fromarray(picture()[50:250, 60:280]).save(folder / f"{picture.__name__}.png")
    return folder
