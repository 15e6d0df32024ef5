"""Plans of inputs and outputs, and what errors mean; without a picture being computed."""

from pathlib import Path

import pytest
import torch

from kfsr.cli.status import Status, conclude_run
from kfsr.errors import InputError, KfsrError, OutOfMemory, UsageError
from kfsr.runs.events import known_error
from kfsr.runs.executors import Serial, perform
from kfsr.runs.plan import Job, plan


def rename(source):
    return f"{source.stem}_x2{source.suffix}"


def test_targets_keep_the_order_and_the_folders_of_the_inputs(tmp_path):
    for name in ("b/one.png", "a/two.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    jobs = plan([str(tmp_path / "b/one.png"), str(tmp_path / "a/two.jpg")], None, rename)
    assert [job.target for job in jobs] == [tmp_path / "b/one_x2.png", tmp_path / "a/two_x2.jpg"]


def test_an_existing_folder_needs_no_slash_and_may_look_like_a_file(tmp_path):
    (tmp_path / "v1.2").mkdir()
    (job,) = plan(["one.png"], str(tmp_path / "v1.2"), rename)
    assert job.target == tmp_path / "v1.2" / "one_x2.png"


def test_a_missing_folder_of_a_missing_input_is_the_inputs_own_failure():
    assert plan(["nowhere/one.png"], None, rename) == [Job(Path("nowhere/one.png"), Path("nowhere/one_x2.png"))]


def test_one_name_from_two_folders_gets_the_folders_into_it(tmp_path):
    for name in ("a", "b/c"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "one.png").touch()
    with pytest.warns(UserWarning, match="{parent}"):
        jobs = plan([str(tmp_path / "a/one.png"), str(tmp_path / "b/c/one.png")], str(tmp_path), rename)
    assert [job.target.name for job in jobs] == ["a_one_x2.png", "b_c_one_x2.png"]
    with pytest.raises(UsageError, match="both be written"):
        plan([str(tmp_path / "a/one.png"), str(tmp_path / "b/c/one.png")], str(tmp_path), lambda path: "all.png")


def test_a_result_may_not_be_a_later_input(tmp_path):
    for name in ("one.png", "one_x2.png"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match="overwritten"):
        plan([str(tmp_path / "one.png"), str(tmp_path / "one_x2.png")], None, rename)


def test_errors_end_their_own_job_only():
    jobs = [Job(Path(name), None) for name in ("one", "two", "three")]

    def work(job, on_event):
        if job.source_name == "two":
            raise InputError("two: is bad")
        return job.source_name.upper()

    outcomes = list(Serial().run(jobs, work, print))
    assert [one.value for one in outcomes] == ["ONE", None, "THREE"]
    assert isinstance(outcomes[1].error, InputError)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, BrokenPipeError])
def test_what_concerns_the_process_is_not_held_back(stop):
    def work(job, on_event):
        raise stop

    with pytest.raises(stop):
        perform(Job(None, None), work, print)


def test_memory_errors_are_known_whoever_raises_them():
    with pytest.raises(RuntimeError) as torch_says:
        torch.empty(2**60, dtype=torch.uint8)
    cuda_says = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    for error in (torch_says.value, cuda_says, MemoryError(), OSError(12, "Cannot allocate memory")):
        assert isinstance(known_error(error), OutOfMemory), error


def test_other_errors_stay_what_they_are():
    with pytest.raises(OSError) as missing:
        Path("nowhere.png").read_bytes()
    assert str(known_error(missing.value)) == "nowhere.png: No such file or directory"
    fault = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert known_error(fault) is fault
    assert not isinstance(fault, KfsrError)


@pytest.mark.parametrize(
    ("errors", "status"),
    [
        ([None, None], Status.DONE),
        ([None, InputError()], Status.SOME_FAILED),
        ([None, OutOfMemory()], Status.SOME_FAILED),
        ([InputError(), InputError()], Status.NOTHING_DONE),
        ([OutOfMemory()], Status.OUT_OF_MEMORY),
        ([OutOfMemory(), InputError()], Status.NOTHING_DONE),
        ([UsageError()], Status.USAGE),
        ([None, ValueError()], Status.INTERNAL),
    ],
)
def test_status_of_a_run(errors, status):
    assert conclude_run(errors) == status
