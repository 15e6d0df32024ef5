"""The calls for other programs: any kind of picture in, the same kind out, and wrong arguments told in words."""

import threading

import numpy as np
import PIL.Image
import pytest
import torch
from skimage import data

import kfsr
from kfsr.errors import InputError, UsageError
from kfsr.kernel import gaussian_kernel, save_kernel

PLAIN = {"kernel_method": "bicubic", "solver": "bicubic"}
PHOTO = np.ascontiguousarray(data.astronaut()[90:140, 190:250])
ALPHA = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 200, np.uint8)])


def kinds_of(values):
    """The same picture in each type that arrays may have."""
    return {
        "uint8": values,
        "uint16": values.astype(np.uint16) * 257,
        "float16": (values / 255).astype(np.float16),
        "float32": (values / 255).astype(np.float32),
        "float64": values / 255,
    }


@pytest.mark.parametrize("kind", kinds_of(PHOTO))
@pytest.mark.parametrize("shape", ["gray", "one channel", "colour", "alpha"])
def test_an_array_comes_back_as_it_went_in(kind, shape):
    values = {"gray": PHOTO[..., 0], "one channel": PHOTO[..., :1], "colour": PHOTO, "alpha": ALPHA}[shape]
    array = kinds_of(values)[kind]
    output = kfsr.upscale(array, scale=2, **PLAIN).output
    assert isinstance(output, np.ndarray)
    assert output.dtype == array.dtype
    assert output.shape == (100, 120, *array.shape[2:])
    white = 1 if kind.startswith("float") else np.iinfo(array.dtype).max
    reference = kfsr.upscale(values, scale=2, **PLAIN).image.pixels
    colours = output if output.ndim == 2 else output[..., : reference.shape[2]].squeeze()
    assert np.abs(colours / white - reference.squeeze()).max() < 2e-3


@pytest.mark.parametrize("kind", [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(50, 60), (1, 50, 60), (3, 50, 60), (4, 50, 60), (1, 3, 50, 60)])
def test_a_tensor_comes_back_as_it_went_in(kind, shape):
    whole = torch.from_numpy(ALPHA).permute(2, 0, 1)
    channels = 1 if len(shape) == 2 else shape[-3]
    tensor = whole[:channels].reshape(shape)
    tensor = tensor if kind == torch.uint8 else (tensor / 255).to(kind)
    output = kfsr.upscale(tensor, scale=3, **PLAIN).output
    assert isinstance(output, torch.Tensor)
    assert output.dtype == kind
    assert output.device == tensor.device
    assert output.shape == (*shape[:-2], 150, 180)


def test_a_tensor_that_is_learned_with_is_let_go():
    tensor = torch.rand(3, 24, 24, requires_grad=True)
    assert not kfsr.upscale(tensor, scale=2, **PLAIN).output.requires_grad


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "F"])
def test_a_picture_of_pillow_comes_back_as_it_went_in(mode):
    if mode == "I;16":
        picture = PIL.Image.fromarray(PHOTO[..., 0].astype(np.uint16) * 257)
    elif mode == "F":
        picture = PIL.Image.fromarray((PHOTO[..., 0] / 255).astype(np.float32))
    else:
        picture = PIL.Image.fromarray(PHOTO).convert(mode)
    picture.info["dpi"] = (300, 300)
    output = kfsr.upscale(picture, scale=2, **PLAIN).output
    assert isinstance(output, PIL.Image.Image)
    assert (output.mode, output.size) == (mode, (120, 100))
    assert output.info["dpi"] == (300, 300)
    if mode == "RGB":
        assert np.array_equal(np.asarray(output), kfsr.upscale(PHOTO, scale=2, **PLAIN).output)


@pytest.mark.parametrize(("mode", "becomes"), [("1", "L"), ("P", "RGB")])
def test_bits_and_palettes_become_gray_and_colour(mode, becomes):
    assert kfsr.upscale(PIL.Image.fromarray(PHOTO).convert(mode), **PLAIN).output.mode == becomes


def test_a_path_is_read_and_a_result_is_written(tmp_path):
    PIL.Image.fromarray(PHOTO).save(tmp_path / "a.png", dpi=(300, 300))
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        result = kfsr.upscale(path, scale=2, **PLAIN)
        assert isinstance(result.output, kfsr.Image)
    result.save(tmp_path / "b.png")
    with PIL.Image.open(tmp_path / "b.png") as written:
        assert written.size == (120, 100)
        assert written.info["dpi"][0] == pytest.approx(300, abs=0.1)


def test_deblurred_pictures_come_back_as_they_went_in():
    assert np.array_equal(kfsr.deblur(PHOTO, strength=0).output, PHOTO)


KERNEL = gaussian_kernel(np.array([[2.0, 0.5], [0.5, 1.0]]), 2)


def test_a_kernel_may_be_a_value_an_array_a_tensor_or_a_file(tmp_path):
    save_kernel(KERNEL, tmp_path / "k.npz")
    forms = (KERNEL, KERNEL.array, torch.from_numpy(KERNEL.array.copy()), KERNEL.array.tolist())
    for kernel in (*forms, tmp_path / "k.npz", str(tmp_path / "k.npz")):
        result = kfsr.upscale(PHOTO, scale=2, kernel=kernel, solver="bicubic")
        assert np.allclose(result.kernel.array, KERNEL.array)
        assert not result.kernel.estimated


def test_one_after_another_and_only_when_asked():
    made = []

    def pictures():
        for n in range(3):
            made.append(n)
            yield PHOTO

    each = kfsr.upscale_each(pictures(), scale=2, **PLAIN)
    assert made == []
    assert next(each).output.shape == (100, 120, 3)
    assert made == [0]
    each.close()


def test_a_batch_comes_back_as_a_batch():
    array = np.stack([PHOTO, PHOTO[::-1]])
    assert kfsr.upscale_batch(array, scale=2, **PLAIN).output.shape == (2, 100, 120, 3)
    tensor = torch.from_numpy(array).permute(0, 3, 1, 2)
    results = kfsr.upscale_batch(tensor, scale=2, **PLAIN)
    assert results.output.shape == (2, 3, 100, 120)
    assert results.output.dtype == torch.uint8
    assert len(results) == 2
    several = kfsr.upscale_batch([PHOTO, PIL.Image.fromarray(PHOTO)], scale=2, **PLAIN).output
    assert [type(one) for one in several] == [np.ndarray, PIL.Image.Image]


def test_an_estimate_takes_the_same_pictures(tmp_path):
    array = np.ascontiguousarray(data.astronaut()[:128, 150:278])
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    kernels = [kfsr.estimate_kernel(one, kernel_method="spectral", refine=False) for one in (array, tensor, [tensor])]
    assert all(np.array_equal(one.array, kernels[0].array) for one in kernels)


def test_progress_is_told_and_the_work_can_be_cancelled():
    told = []
    kfsr.upscale(PHOTO, kernel_method="spectral", preset="fast", progress=lambda *one: told.append(one))
    assert told
    assert all(1 <= step <= total for _, step, total in told)
    stop = threading.Event()
    with pytest.raises(kfsr.Cancelled, match=told[0][0]):
        kfsr.upscale(PHOTO, kernel_method="spectral", preset="fast", progress=lambda *_: stop.set(), cancel=stop.is_set)
    with pytest.raises(kfsr.Cancelled):
        kfsr.upscale(PHOTO, cancel=lambda: True)


def test_numbers_of_numpy_are_numbers():
    result = kfsr.upscale(PHOTO, scale=np.int64(2), strength=np.float32(0.5), seed=np.uint8(3), **PLAIN)
    assert result.report.seed == 3
    assert kfsr.upscale(PHOTO, scale=2.0, **PLAIN).image.size == (120, 100)
    assert kfsr.upscale(PHOTO, scale=1.5, **PLAIN).image.size == (90, 75)
    assert kfsr.upscale(PHOTO, max_memory="4G", **PLAIN).image.size == (120, 100)


WRONG = {
    "scale of eight": ({"scale": 8}, "4 is the most; enlarge by 4"),
    "scale as text": ({"scale": "2"}, "scale is a number from 1 to 4"),
    "scale as a switch": ({"scale": True}, "scale is a number"),
    "scale of nothing": ({"scale": 0}, "not supported"),
    "kernel of another kind": ({"kernel": {"a": 1}}, "dict is no kernel"),
    "kernel of words": ({"kernel": [["a", "b"]]}, "a table of numbers"),
    "strength as text": ({"strength": "much"}, "strength is a number from 0 to 1"),
    "strength of seven": ({"strength": 7}, "not between 0 and 1"),
    "seed of a half": ({"seed": 0.5}, "seed is a whole number"),
    "refine as text": ({"refine": "no"}, "refine is True or False"),
    "preset as a number": ({"preset": 3}, "preset is a word, like preset='fast'"),
    "solver as a class": ({"solver": object}, "solver is a word"),
    "weights as a dict": ({"weights": {}}, "named by their file"),
    "progress that is none": ({"progress": 3}, "progress(stage, step, total)"),
    "cancel that is none": ({"cancel": True}, "cancel()"),
    "window of three": ({"window": (0, 0, 10)}, "four whole numbers"),
    "window outside": ({"window": (0, 0, 500, 500)}, "does not lie in a picture"),
    "device that is none": ({"device": "gpu"}, "use 'cpu', 'cuda'"),
    "device that is not used": ({"device": "mps"}, "not on 'mps'"),
    "memory in words": ({"max_memory": "much"}, "much"),
    "no such choice": ({"factor": 2}, "no choice 'factor'"),
    "a name nearly right": ({"presets": "fast"}, "did you mean preset?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_told_in_words(case):
    arguments, words = WRONG[case]
    with pytest.raises(UsageError) as error:
        kfsr.upscale(PHOTO, **arguments)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


PICTURES = {
    "nothing": (None, "NoneType is no picture"),
    "bytes": (b"\x89PNG", "bytes is no picture"),
    "a list": ([PHOTO], "kfsr.upscale_batch"),
    "a batch of arrays": (PHOTO[None], "kfsr.upscale_batch"),
    "a batch of tensors": (torch.zeros(2, 3, 8, 8), "kfsr.upscale_batch"),
    "channels first": (PHOTO.transpose(2, 0, 1), "array.transpose(1, 2, 0)"),
    "channels last": (torch.zeros(8, 8, 3), "tensor.permute(2, 0, 1)"),
    "a mask": (PHOTO > 3, "mask"),
    "whole numbers of 32 bits": (PHOTO.astype(np.int32), "uint8, uint16 or float"),
    "a tensor of whole numbers": (torch.zeros(3, 8, 8, dtype=torch.int64), "uint8, or of floats"),
    "floats to 255": (PHOTO.astype(np.float32), "divide by its maximum"),
    "two channels": (torch.zeros(2, 8, 8), "1, 3 or 4 channels"),
    "five dimensions": (torch.zeros(1, 1, 3, 8, 8), "(C, H, W)"),
    "a mode of nothing": (PIL.Image.new("LAB", (8, 8)), "convert it to L, RGB or RGBA"),
}


@pytest.mark.parametrize("case", PICTURES)
def test_what_is_no_picture_is_told_in_words(case):
    picture, words = PICTURES[case]
    with pytest.raises(UsageError) as error:
        kfsr.upscale(picture)
    assert words in str(error.value)


def test_files_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        kfsr.upscale(tmp_path / "no.png")
    with pytest.raises(InputError, match="no such file"):
        kfsr.upscale(PHOTO, kernel="no.npz")
    with pytest.raises(UsageError, match="one picture: use"):
        kfsr.upscale_each("a.png")
    with pytest.raises(UsageError, match="four dimensions, this one has 3"):
        kfsr.upscale_batch(PHOTO)
    with pytest.raises(UsageError, match="int is no row"):
        kfsr.upscale_each(3)


def test_a_plane_of_a_measurement(tmp_path):
    """As for ImageJ's and napari's users: any range, brought to [0, 1] and back."""
    plane = 300 + 4000 * data.camera()[100:160, 200:264].astype(np.float32) / 255
    low, span = plane.min(), np.ptp(plane)
    output = low + span * kfsr.upscale((plane - low) / span, scale=2, **PLAIN).output
    assert output.shape == (120, 128)
    assert output.dtype == np.float32
    assert abs(output.mean() - plane.mean()) < 0.01 * span
