"""`--executor dask` with a scheduler and workers of their own: whatever dies, no picture is lost, none is done twice.

KFSR_CLUSTER=300 takes so many pictures; by default there are a few.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import PIL.Image
import pytest
from process import QUICK, Started, environment, kfsr_run
from skimage import data

pytest.importorskip("distributed", reason="Dask is not installed (pip install '.[cluster]')")

COUNT = int(os.environ.get("KFSR_CLUSTER", "24"))
SCHEDULER = "from distributed.cli.dask_scheduler import main; main()"
WORKER = "from distributed.cli.dask_worker import main; main()"
RULES = {
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": "1.0",
}


class Cluster:
    """A scheduler and three workers, each started again when it has died, as a batch system would."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.log = (folder / "cluster.log").open("ab")
        self.folder, self.ending = folder, False
        self.scheduler = self.start(SCHEDULER, "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")
        self.workers = [self.start_worker() for _ in range(3)]
        self.keeper = threading.Thread(target=self.keep)
        self.keeper.start()

    def start(self, program, *args):
        return subprocess.Popen(
            [sys.executable, "-c", program, *args], env=environment(**RULES), stdout=self.log, stderr=self.log
        )

    def start_worker(self):
        place = self.folder / "elsewhere"
        place.mkdir(exist_ok=True)
        args = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(place))
        return self.start(WORKER, self.address, *args, "--death-timeout", "60")

    def keep(self):
        while not self.ending:
            for n, one in enumerate(self.workers):
                if one.poll() is not None and not self.ending:
                    self.workers[n] = self.start_worker()
            time.sleep(0.5)

    def restart_scheduler(self):
        self.scheduler.kill()
        self.scheduler.wait()
        self.scheduler = self.start(SCHEDULER, "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")

    def end(self):
        self.ending = True
        self.keeper.join()
        for one in (*self.workers, self.scheduler):
            one.kill()
            one.wait()
        self.log.close()


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "cluster").mkdir()
    one = Cluster(tmp_path / "cluster")
    yield one
    one.end()


@pytest.fixture
def album(tmp_path):
    return filled(tmp_path, 60)


def filled(folder, side):
    """Parts of a photograph, so many pixels high, in folder/in."""
    (folder / "in").mkdir(exist_ok=True)
    picture = data.astronaut()
    for n in range(COUNT):
        PIL.Image.fromarray(picture[n : n + side, 100 + n : 110 + n + side]).save(folder / "in" / f"{n:03}.png")
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def listed(folder):
    return [json.loads(line) for line in (folder / ".kfsr.ndjson").read_text().splitlines() if line]


SLOWER = ("--kernel-method", "bicubic", "--preset", "fast", "--threads", "1")


@pytest.mark.slow
def test_nothing_is_lost_whatever_dies(tmp_path, cluster):
    album = filled(tmp_path, 200)  # so that the deaths come in the middle
    kfsr_run(album, "upscale", "in", "-o", "one", *SLOWER, "--quiet").ok()
    on_cluster = ("--executor", "dask", "--scheduler", cluster.address)
    args = ("upscale", "in", "-o", "out", *SLOWER, *on_cluster, "--json")

    first = Started(album, *args)
    first.lines(COUNT // 6)
    os.kill(cluster.workers[0].pid, signal.SIGKILL)
    first.lines(COUNT // 6)
    first.process.kill()
    first.process.wait()

    second = Started(album, *args, "--skip-existing")
    second.lines(COUNT // 3 + COUNT // 3)  # those that are finished come first
    cluster.restart_scheduler()
    done = second.end()
    assert done.status == 0, done.stderr

    assert contents(album / "out") == contents(album / "one")
    digests = {one["file"] for one in listed(album / "out") if "sha256" in one}
    assert len(digests) == COUNT
    again = kfsr_run(album, *args, "--skip-existing").ok()
    assert json.loads(again.stdout.splitlines()[-1])["summary"] == {"done": 0, "skipped": COUNT, "failed": 0}


def test_a_cluster_here_gives_the_same_and_keeps_the_lists(album):
    for path in list((album / "in").iterdir())[6:]:
        path.unlink()
    (album / "in" / "bad.png").write_bytes(b"no picture")
    args = ("upscale", "in", *QUICK, "--threads", "2", "--save-kernel", "kernels/")
    assert kfsr_run(album, *args, "-o", "one", "--workers", "2").status == 3
    done = kfsr_run(album, *args, "-o", "out", "--executor", "dask", "--workers", "2", process=True)
    assert done.status == 3, done.stderr
    assert contents(album / "out") == contents(album / "one")
    assert "6 done, 0 skipped, 1 failed" in done.stderr
    lines = listed(album / "out")
    assert sum("sha256" in one for one in lines) == 6
    assert sum("told" in one for one in lines) == 7
    assert len(list((album / "kernels").iterdir())) == 6


def test_what_was_begun_and_not_finished_is_made_again(album):
    from kfsr.runs import manifest

    (album / "out").mkdir()
    manifest.begun(album / "out" / "000_x2.png")
    PIL.Image.new("RGB", (140, 120)).save(album / "out" / "000_x2.png")
    PIL.Image.new("RGB", (140, 120)).save(album / "out" / "001_x2.png")
    args = ("upscale", "in/000.png", "in/001.png", "-o", "out", *QUICK, "--skip-existing")
    assert "1 done, 1 skipped" in kfsr_run(album, *args).ok().stderr
    assert PIL.Image.open(album / "out" / "000_x2.png").getextrema() != ((0, 0),) * 3


WRONG = {
    "a scheduler and no cluster": (("--scheduler", "tcp://127.0.0.1:1"), "--executor dask"),
    "workers of another machine": (
        ("--executor", "dask", "--scheduler", "tcp://127.0.0.1:1", "--workers", "2"),
        "leave --workers out",
    ),
    "an unknown executor": (("--executor", "slurm"), "processes, dask"),
    "a part of nothing": (("--shard", "0/4"), "like 3/16"),
    "a part beyond the last": (("--shard", "5/4"), "like 3/16"),
    "a part in words": (("--shard", "first"), "like 3/16"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls(album, case):
    args, words = WRONG[case]
    assert words in kfsr_run(album, "upscale", "in", "-o", "out", *args).error_line(2)


def test_no_scheduler_there(album):
    args = ("--executor", "dask", "--scheduler", "tcp://127.0.0.1:1")
    done = kfsr_run(album, "upscale", "in", "-o", "out", *QUICK, *args, process=True)
    assert done.status == 2
    assert "no scheduler at tcp://127.0.0.1:1" in done.stderr.splitlines()[-1]


def test_shards_are_the_whole(album):
    for k in (1, 2, 3):
        kfsr_run(album, "upscale", "in", "-o", "out", *QUICK, "--shard", f"{k}/3").ok()
    kfsr_run(album, "upscale", "in", "-o", "one", *QUICK).ok()
    assert contents(album / "out") == contents(album / "one")
    assert sum("sha256" in one for one in listed(album / "out")) == COUNT
