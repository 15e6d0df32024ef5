"""The executor on Dask: a picture that kills its workers, warnings and errors that come back."""

import os
import sys
import warnings
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="Dask is not installed (pip install '.[cluster]')")

import cloudpickle

from kfsr.errors import InputError, UsageError, WorkerDied
from kfsr.runs import manifest
from kfsr.runs.cluster import Dask
from kfsr.runs.events import Warned
from kfsr.runs.plan import Job


def work(job, on_event):
    if job.source.name == "deadly":
        os._exit(7)
    if job.source.name == "bad":
        raise InputError("bad: no picture")
    warnings.warn(f"seen {job.source.name}", UserWarning, stacklevel=1)
    manifest.record(job.target, b"data", "digest", "settings")
    return job.source.name


@pytest.mark.slow
def test_a_picture_that_kills_its_workers_is_charged_and_the_rest_goes_on(tmp_path):
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    names = ["a", "deadly", "b", "bad", "c", "d", "e", "f"]
    jobs = [Job(tmp_path / name, tmp_path / f"{name}.png") for name in names]
    events = []
    outcomes = {one.job.source.name: one for one in Dask(workers=2).run(jobs, work, events.append)}
    assert set(outcomes) == set(names)
    assert isinstance(outcomes["deadly"].error, WorkerDied)
    assert isinstance(outcomes["bad"].error, InputError)
    good = [name for name in names if name not in ("deadly", "bad")]
    assert [outcomes[name].value for name in good] == good
    assert {event.text for event in events if isinstance(event, Warned)} == {f"seen {name}" for name in good}
    known = manifest.Manifest()
    assert all(known.entry(tmp_path / f"{name}.png").result for name in good)
    assert known.is_begun(tmp_path / "deadly.png")


def test_streams_have_no_place_on_a_cluster(tmp_path):
    for job in (Job(None, tmp_path / "a.png"), Job(Path("a.png"), None)):
        with pytest.raises(UsageError, match="works on files"):
            next(Dask("tcp://127.0.0.1:1").run([job], work, print))
