"""Named pipes as inputs."""

import os
import threading
import time

import pytest

from kfsr.errors import InputError
from kfsr.runs.pipes import is_named_pipe, read_pipe

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_everything_that_is_written_until_it_is_closed(pipe):
    def write():
        time.sleep(0.1)
        with pipe.open("wb", buffering=0) as file:
            time.sleep(0.3)  # longer than the patience: it is open
            for part in range(3):
                file.write(bytes([part]) * 100_000)

    writer = threading.Thread(target=write)
    writer.start()
    assert read_pipe(pipe, patience=0.2) == b"".join(bytes([part]) * 100_000 for part in range(3))
    writer.join()


def test_a_pipe_that_nobody_writes_to_is_given_up(pipe):
    with pytest.raises(InputError, match=r"nobody has written to for 0\.1 s"):
        read_pipe(pipe, patience=0.1)


def test_what_is_one(pipe):
    (pipe.parent / "link").symlink_to(pipe)
    (pipe.parent / "file").touch()
    assert [is_named_pipe(pipe.parent / name) for name in ("pipe", "link", "file", "none")] == [True] + [False] * 3
