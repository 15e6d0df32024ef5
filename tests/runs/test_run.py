"""`kfsr.run`: what the command does with many pictures, as a library."""

import contextlib
import os
import threading
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from skimage import data

import kfsr
from kfsr import Recipe
from kfsr.errors import InputError, NumericalError, OutOfMemory, OutputError, UsageError
from kfsr.image import Image, encode_image, read_image, write_image
from kfsr.kernel import Kernel, box_kernel, gaussian_kernel, load_kernel, save_kernel
from kfsr.runs import Finished, Processes, Progress, SharedKernel, Started, Warned
from kfsr.runs.engine import checkpoint_for

QUICK = {"kernel_method": "bicubic", "solver": "bicubic"}
PHOTO = data.astronaut()


@pytest.fixture
def album(tmp_path):
    """tmp_path/in with a.png, sub/b.png and sub/bad.png."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for n, name in enumerate(("a.png", "sub/b.png")):
        write_image(Image.from_array(PHOTO[60 + n : 120 + n, 170:240]), tmp_path / "in" / name)
    (tmp_path / "in" / "sub" / "bad.png").write_bytes(b"no picture")
    return tmp_path


def run(album, **more):
    return kfsr.run(album / "in", output=album / "out", recursive=True, **{**QUICK, **more})


def statuses(outcomes):
    return {one.job.source.name: one.status for one in outcomes}


def test_each_picture_has_an_outcome_and_a_result(album):
    outcomes = run(album, scale=3)
    assert statuses(outcomes) == {"a.png": "done", "b.png": "done", "bad.png": "failed"}
    assert [type(one.error) for one in outcomes].count(InputError) == 1
    for one in (one for one in outcomes if one.status == "done"):
        assert one.job.target == album / "out" / one.job.source.relative_to(album / "in").with_stem(
            f"{one.job.source.stem}_x3"
        )
        expected = kfsr.upscale(read_image(one.job.source), scale=3, **QUICK)
        assert one.job.target.read_bytes() == encode_image(expected.image, "PNG")
        assert one.value.size == (210, 180)
        assert one.value.report["scale"] == 3


def test_what_was_finished_is_skipped_also_by_the_next_run_of_this_process(album):
    assert list(statuses(run(album, skip_existing=True)).values()).count("done") == 2
    assert list(statuses(run(album, skip_existing=True)).values()).count("skipped") == 2
    assert list(statuses(run(album, skip_existing=True, strip=True)).values()).count("done") == 2


def test_processes_do_the_same(album):
    run(album)
    one = {path.name: path.read_bytes() for path in (album / "out").rglob("*.png")}
    events = []
    outcomes = run(album, executor=Processes(2), on_event=events.append)
    assert statuses(outcomes) == {"a.png": "done", "b.png": "done", "bad.png": "failed"}
    assert {path.name: path.read_bytes() for path in (album / "out").rglob("*.png")} == one
    assert [type(event) for event in events] == [Started] + [Finished] * 3


def test_events_tell_what_happens(album):
    pages = album / "pages.gif"
    images = [PIL.Image.fromarray(PHOTO[:40, :40]), PIL.Image.fromarray(PHOTO[40:80, :40])]
    images[0].save(pages, save_all=True, append_images=images[1:])
    events = []
    kfsr.run([pages], kernel_from=[album / "in" / "a.png"], preset="fast", solver="bicubic", on_event=events.append)
    kinds = [type(one) for one in events if type(one) is not Progress]
    assert kinds == [SharedKernel, Started, Warned, Finished]
    warned = next(one for one in events if type(one) is Warned)
    assert warned.subject == str(pages)
    assert "has 2 frames" in warned.text
    with pytest.warns(UserWarning, match="pages.gif: has 2 frames"):
        kfsr.run([pages], **QUICK)


def test_a_kernel_is_a_value_or_a_file(album):
    kernel = gaussian_kernel(np.eye(2), 2)
    save_kernel(kernel, album / "k.npz")
    for n, given in enumerate((kernel, album / "k.npz", str(album / "k.npz"))):
        (done,) = kfsr.run(
            [album / "in" / "a.png"],
            output=album / f"{n}.png",
            kernel=given,
            solver="bicubic",
            save_kernel=album / f"{n}.npz",
        )
        assert done.error is None
        assert np.allclose(load_kernel(album / f"{n}.npz", 2).array, kernel.array, atol=1e-12)
    listed = [
        kfsr.run([album / "in" / "a.png"], kernel=one, solver="bicubic", skip_existing=True)[0].status
        for one in (kernel, kernel, box_kernel(2))
    ]
    assert listed == ["done", "skipped", "done"]


def test_a_recipe_is_a_value_and_can_be_changed(album):
    recipe = Recipe(**QUICK, scale=2)
    assert run(album, recipe=recipe, scale=4)[0].value.report["scale"] == 4
    with pytest.raises(UsageError, match="no choice 'scales'; did you mean scale"):
        run(album, scales=4)


@pytest.mark.parametrize(
    ("choices", "error"),
    [
        ({"kernel_method": "magic"}, UsageError),
        ({"scale": 1}, UsageError),
        ({"weights": "missing.safetensors"}, (UsageError, InputError)),
        ({"output": "missing/one.png"}, OutputError),
    ],
    ids=str,
)
def test_a_call_that_cannot_be_meant_is_refused_before_any_work(album, choices, error):
    choices = {name: Path(value) if name == "weights" else value for name, value in choices.items()}
    with pytest.raises(error):
        kfsr.run([album / "in" / "a.png"], **{"kernel_method": "bicubic", **choices})
    assert sorted(path.name for path in album.iterdir()) == ["in"]


def test_pictures_in_place_of_names_are_refused():
    with pytest.raises(UsageError, match="names of files, not of type ndarray; upscale takes"):
        kfsr.run(np.zeros((9, 9, 3)))


def test_threads_are_given_back(album):
    before = torch.get_num_threads()
    run(album, threads=before + 1)
    assert torch.get_num_threads() == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name")
def test_an_input_is_read_once(album):
    """A pipe can be read only once: the list's digest is of the very bytes that were decoded."""
    pipe = album / "pipe.png"
    os.mkfifo(pipe)
    content = (album / "in" / "a.png").read_bytes()
    writer = threading.Thread(target=lambda: pipe.write_bytes(content), daemon=True)
    writer.start()
    outcomes = kfsr.run([pipe, album / "in" / "a.png"], output=album / "out", **QUICK)
    assert [one.error for one in outcomes] == [None, None]
    writer.join(10)
    assert not writer.is_alive()


@pytest.mark.parametrize(
    ("ending", "stays"),
    [
        (None, False),
        (NumericalError("NaN"), False),
        (InputError("too small"), False),
        (RuntimeError("a fault"), False),
        (OutOfMemory("no room"), True),
        (MemoryError(), True),
        (OutputError("disk full"), True),
        (KeyboardInterrupt(), True),
    ],
    ids=repr,
)
def test_a_state_stays_only_where_the_same_command_could_go_on(tmp_path, ending, stays):
    """It stayed after every failure."""
    expected = contextlib.nullcontext() if ending is None else pytest.raises(type(ending))
    with expected, checkpoint_for(tmp_path / "a.png") as state:
        state.write_bytes(b"state")
        if ending is not None:
            raise ending
    assert [path.name for path in tmp_path.iterdir()] == ([".a.png.kfsr-state"] if stays else [])


def test_at_scale_1_a_sharp_picture_is_copied_and_written_down_as_finished(album):
    for path in (album / "in" / "a.png", album / "in" / "sub" / "b.png"):  # not as they are written here
        PIL.Image.open(path).save(path, compress_level=9)
    arguments = {"kernel": Kernel(np.ones((1, 1)), 1), "kernel_method": None, "solver": None, "skip_existing": True}
    outcomes = run(album, scale=1, **arguments)
    assert statuses(outcomes) == {"a.png": "done", "b.png": "done", "bad.png": "failed"}
    for one in (one for one in outcomes if one.status == "done"):
        assert one.job.target.name == f"{one.job.source.stem}_sharp.png"
        assert one.job.target.read_bytes() == one.job.source.read_bytes()
        assert one.value.report["gate"]["verdict"] == "unchanged"
    assert list(statuses(run(album, scale=1, **arguments)).values()).count("skipped") == 2
