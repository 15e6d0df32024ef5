"""Random crops: from where they come, how they are turned, and what focus prefers."""

import torch

from kfsr.priors.patch.crops import CropSampler


def numbered(height, width, first=0):
    """A picture each of whose pixels is unique."""
    return torch.arange(first, first + height * width).float().reshape(1, 1, height, width)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_crops_are_windows_of_the_pictures_as_they_are():
    pictures = [numbered(20, 31), numbered(16, 9, first=1000)]
    crops = CropSampler(pictures).draw(400, 8, generator())
    assert crops.shape == (400, 1, 8, 8)
    corners = set()
    for crop in crops:
        which = int(crop[0, 0, 0] >= 1000)
        row, col = divmod(int(crop[0, 0, 0]) - 1000 * which, pictures[which].shape[-1])
        assert torch.equal(crop, pictures[which][0, :, row : row + 8, col : col + 8])
        corners.add((which, row, col))
    assert {row for which, row, _ in corners if which == 0} == set(range(13))
    assert {col for which, _, col in corners if which == 1} == {0, 1}


def test_pictures_are_drawn_by_their_area():
    crops = CropSampler([numbered(30, 30), numbered(10, 30, first=1000)]).draw(2000, 8, generator())
    assert 0.2 < (crops[:, 0, 0, 0] >= 1000).float().mean() < 0.3


def test_turned_crops_are_the_eight_symmetries():
    picture = numbered(6, 6)
    crops = CropSampler([picture], turn=True).draw(400, 6, generator())
    plain = picture[0]
    symmetries = [torch.rot90(p, r, (1, 2)) for p in (plain, plain.flip(2)) for r in range(4)]
    counts = [sum(torch.equal(crop, one) for crop in crops) for one in symmetries]
    assert sum(counts) == 400
    assert min(counts) > 25


def test_focus_prefers_what_is_textured():
    picture = torch.zeros(1, 3, 64, 128)
    picture[..., 64:] = torch.randn(1, 3, 64, 64, generator=generator(5)) * 0.1
    textured = {}
    for focus in (False, True):
        crops = CropSampler([picture], focus=focus).draw(200, 24, generator())
        textured[focus] = (crops[..., -1] != 0).any((1, 2)).float().mean()
    assert 0.35 < textured[False] < 0.75
    assert textured[True] > 0.97


def test_focus_weighs_by_energy_and_does_not_only_take_the_best():
    picture = torch.randn(1, 1, 64, 128, generator=generator(6)) * 0.1
    picture[..., 64:] *= 2  # four times the energy
    crops = CropSampler([picture], focus=True).draw(1000, 16, generator())
    strong = (crops.std((1, 2, 3)) > 0.15).float().mean()
    assert 0.65 < strong < 0.9


def test_the_largest_crop_fits_every_picture():
    sampler = CropSampler([torch.zeros(1, 3, 40, 30), torch.zeros(1, 3, 25, 60)], focus=True)
    assert (sampler.largest, sampler.channels) == (25, 3)
    assert sampler.draw(5, sampler.largest, generator()).shape == (5, 3, 25, 25)


def test_the_generator_decides():
    sampler = CropSampler([numbered(40, 40)], turn=True, focus=True)
    assert torch.equal(sampler.draw(8, 9, generator(1)), sampler.draw(8, 9, generator(1)))
    assert not torch.equal(sampler.draw(8, 9, generator(1)), sampler.draw(8, 9, generator(2)))
