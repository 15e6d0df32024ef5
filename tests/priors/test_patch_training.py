"""Training on one picture: it learns, it repeats, and it keeps its hands off the global random state."""

import pytest
import torch
from skimage import data

from kfsr.checkpoint import Driver
from kfsr.errors import InputError
from kfsr.priors.patch.crops import CropSampler
from kfsr.priors.patch.training import train_patch_model
from kfsr.settings import PatchSettings

SMALL = PatchSettings(width=32, steps=150, batch=4, crop=32)


def photo():
    pixels = torch.from_numpy(data.astronaut()[40:136, 170:266].copy())
    return pixels.permute(2, 0, 1)[None].float() / 127.5 - 1


def train(settings=SMALL, seed=0, picture=None, **more):
    crops = CropSampler([photo() if picture is None else picture])
    return train_patch_model(crops, settings, torch.Generator().manual_seed(seed), **more)


def test_it_learns_to_remove_noise():
    picture = photo()
    noisy = picture + 0.2 * torch.randn(picture.shape, generator=torch.Generator().manual_seed(9))
    error = (train().denoise(noisy, 0.2) - picture).square().mean() / (noisy - picture).square().mean()
    # A network that knows no picture leaves 0.84 of it.
    assert error < 0.4


def test_the_seed_decides_and_nothing_else():
    few = PatchSettings(width=8, steps=4, batch=2, crop=24)
    torch.manual_seed(1)
    first = train(few, seed=3).network.state_dict()
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    second = train(few, seed=3).network.state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = train(few, seed=4).network.state_dict()
    assert not torch.equal(first["convs.0.weight"], other["convs.0.weight"])


def test_progress_counts_every_step():
    calls = []
    few = PatchSettings(width=4, steps=3, batch=1, crop=20)
    train(few, driver=Driver(lambda *call: calls.append(call)), stage="prior")
    assert calls == [("prior", 1, 3), ("prior", 2, 3), ("prior", 3, 3)]


def test_a_picture_without_one_whole_patch_is_refused():
    few = PatchSettings(width=4, steps=2, batch=1)
    train(few, picture=photo()[..., :15, :40])
    with pytest.raises(InputError, match="15 px"):
        train(few, picture=photo()[..., :14, :40])
