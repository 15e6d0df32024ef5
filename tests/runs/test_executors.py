"""Jobs in this process and in several: what comes back, and what becomes of processes that end."""

import os
import signal
import time
import warnings
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from kfsr.errors import InputError, OutOfMemory, WorkerDied
from kfsr.runs import executors
from kfsr.runs.events import Progress, Warned
from kfsr.runs.executors import Processes, Serial
from kfsr.runs.plan import Job


class Unportable(Exception):
    """Does not survive the way to another process."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def work(job, on_event):
    on_event(Progress(job.source_name, "stage", 1, 1))
    match job.source_name:
        case "bad":
            raise InputError("bad: is bad")
        case "odd":
            raise Unportable("this", "that")
        case "ends":
            os._exit(3)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "warned":
            warnings.warn("look at this", UserWarning, stacklevel=1)
        case "slow":
            time.sleep(10)
            job.target.touch()
    return job.source_name.upper(), os.getpid()


def end_at_once():
    os._exit(7)


def fail_at_once():
    raise InputError("no weights")


def die_once(flag):
    if not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def jobs(*names):
    return [Job(Path(name), None) for name in names]


def outcomes(names, executor, begin=executors.nothing):
    events = []
    with closing(executor.run(jobs(*names), work, events.append, begin)) as found:
        return {one.job.source_name: one for one in found}, events


def test_every_job_is_done_once_and_elsewhere():
    names = [str(n) for n in range(20)]
    found, _ = outcomes(names, Processes(3))
    assert {name: one.value[0] for name, one in found.items()} == {name: name for name in names}
    numbers = {one.value[1] for one in found.values()}
    assert os.getpid() not in numbers
    assert 1 <= len(numbers) <= 3
    for number in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def test_errors_and_deaths_cost_their_own_job():
    found, events = outcomes(["a", "bad", "odd", "ends", "killed", "warned", "b", "c"], Processes(2))
    assert {name for name, one in found.items() if one.error is None} == {"a", "warned", "b", "c"}
    assert events == [Warned("warned", "look at this")]  # and no progress, of which there may be much
    assert isinstance(found["bad"].error, InputError)
    assert str(found["odd"].error) == "Unportable: this and that"
    assert isinstance(found["ends"].error, WorkerDied)
    assert "status 3" in str(found["ends"].error)
    assert isinstance(found["killed"].error, OutOfMemory)


def test_processes_that_cannot_start_end_the_run():
    with pytest.raises(WorkerDied, match="status 7"):
        outcomes(["a", "b", "c", "d", "e"], Processes(2), end_at_once)
    with pytest.raises(InputError, match="no weights"):
        outcomes(["a", "b"], Processes(2), fail_at_once)


def test_a_process_that_dies_while_it_starts_costs_nothing(tmp_path):
    found, _ = outcomes(["a", "b", "c"], Processes(2), partial(die_once, tmp_path / "flag"))
    assert {name: one.value[0] for name, one in found.items()} == {"a": "A", "b": "B", "c": "C"}


def test_one_death_after_the_other_is_no_failure_to_start():
    found, _ = outcomes(["killed"] * 5 + ["a"], Processes(1))
    assert found["a"].value[0] == "A"


def test_closing_stops_what_is_under_way(tmp_path):
    end = tmp_path / "came to its end"
    with closing(Processes(2).run([Job(Path("slow"), end), *jobs("a")], work, print)) as found:
        assert next(found).value[0] == "A"
    assert not end.exists()


def test_one_process_does_the_same_in_order_and_tells_its_progress():
    found, events = outcomes(["a", "bad", "odd", "warned"], Serial())
    assert list(found) == ["a", "bad", "odd", "warned"]
    assert found["a"].value == ("A", os.getpid())
    assert isinstance(found["bad"].error, InputError)
    assert isinstance(found["odd"].error, Unportable)
    assert [type(one) for one in events] == [Progress] * 4 + [Warned]


def test_a_death_is_told_where_there_is_no_sigkill(monkeypatch):
    """As on Windows."""
    killed, ended = (executors._Worker(type("Process", (), {"exitcode": code})(), None) for code in (-9, 1))
    monkeypatch.delattr(signal, "SIGKILL")
    assert isinstance(killed.cause, OutOfMemory)
    assert isinstance(ended.cause, WorkerDied)
