"""Jobs in several processes: what comes back, and what becomes of processes that end."""

import os
import signal
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from kfsr.errors import InputError, OutOfMemory, WorkerDied
from kfsr.runs import workers
from kfsr.runs.plan import Job


class Unportable(Exception):
    """Does not survive the way to another process."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def work(tell, job):
    match job.source_name:
        case "bad":
            raise InputError("bad: is bad")
        case "odd":
            raise Unportable("this", "that")
        case "ends":
            os._exit(3)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "told":
            tell("a line")
        case "slow":
            time.sleep(10)
            job.target.touch()
    return job.source_name.upper(), os.getpid()


def start(tell):
    return partial(work, tell)


def start_that_ends(tell):
    os._exit(7)


def start_that_fails(tell):
    raise InputError("no weights")


def jobs(*names):
    return [Job(Path(name), None) for name in names]


def outcomes(names, count, begin=start):
    lines = []
    with closing(workers.run(jobs(*names), begin, count, lines.append)) as found:
        return {one.job.source_name: one for one in found}, lines


def test_every_job_is_done_once_and_elsewhere():
    names = [str(n) for n in range(20)]
    found, _ = outcomes(names, 3)
    assert {name: one.value[0] for name, one in found.items()} == {name: name for name in names}
    numbers = {one.value[1] for one in found.values()}
    assert os.getpid() not in numbers
    assert 1 <= len(numbers) <= 3
    for number in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def test_errors_and_deaths_cost_their_own_job():
    found, lines = outcomes(["a", "bad", "odd", "ends", "killed", "told", "b", "c"], 2)
    assert {name for name, one in found.items() if one.error is None} == {"a", "told", "b", "c"}
    assert lines == ["a line"]
    assert isinstance(found["bad"].error, InputError)
    assert str(found["odd"].error) == "Unportable: this and that"
    assert isinstance(found["ends"].error, WorkerDied)
    assert "status 3" in str(found["ends"].error)
    assert isinstance(found["killed"].error, OutOfMemory)


def test_processes_that_cannot_start_end_the_run():
    with pytest.raises(WorkerDied, match="status 7"):
        outcomes(["a", "b", "c", "d", "e"], 2, start_that_ends)
    with pytest.raises(InputError, match="no weights"):
        outcomes(["a", "b"], 2, start_that_fails)


def test_one_death_after_the_other_is_no_failure_to_start():
    found, _ = outcomes(["killed"] * 5 + ["a"], 1)
    assert found["a"].value[0] == "A"


def test_closing_stops_what_is_under_way(tmp_path):
    end = tmp_path / "came to its end"
    with closing(workers.run([Job(Path("slow"), end), *jobs("a")], start, 2, print)) as found:
        assert next(found).value[0] == "A"
    assert not end.exists()
