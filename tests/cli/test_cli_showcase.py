"""Many pictures, some of them bad, a run that is killed twice and resumed. In full:

KFSR_SHOWCASE=300 python -m pytest -s tests/cli/test_cli_showcase.py
"""

import io
import json
import os
import random
import signal
import sys

import numpy as np
import PIL.Image
import pytest
from process import QUICK, Started, kfsr_run
from skimage import data

PICTURES = int(os.environ.get("KFSR_SHOWCASE", "30"))
BAD = max(4, PICTURES // 25)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes through /proc"),
]


def encoded(image, kind):
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=95)
    return buffer.getvalue()


def bad_bytes(n, image):
    """Kinds of files that are no usable picture, in turn."""
    png, jpeg = encoded(image, "PNG"), encoded(image, "JPEG")
    kinds = (b"", b"not a picture\n", png[: len(png) // 2], png[:40], b"\x89PNG\r\n\x1a\n" + bytes(500), jpeg[:300])
    return kinds[n % len(kinds)]


@pytest.fixture
def archive(tmp_path):
    """tmp_path/in: pictures in folders two deep, PNG and JPEG by turns; and which of them are bad."""
    rng = random.Random(1)
    bad = sorted(rng.sample(range(PICTURES), BAD))
    photo = data.astronaut()
    for n in range(PICTURES):
        row, col, height, width = (rng.randrange(*limits) for limits in ((0, 400), (0, 400), (24, 64), (24, 64)))
        image = PIL.Image.fromarray(np.ascontiguousarray(photo[row : row + height, col : col + width]))
        kind = ("PNG", "JPEG")[n % 2]
        folder = tmp_path / "in" / f"year{n % 3}" / f"roll{n % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        content = bad_bytes(bad.index(n), image) if n in bad else encoded(image, kind)
        (folder / f"{n:04d}.{kind.lower()}").write_bytes(content)
    return tmp_path


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".kfsr.ndjson"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_killed_twice_and_resumed_a_run_ends_as_if_unbroken(archive, capsys):
    args = ("upscale", "in", "--recursive", "--skip-existing", "--json", *QUICK)
    unbroken = kfsr_run(archive, *args, "-o", "whole")
    assert unbroken.status == 3
    rng = random.Random(2)
    made = set()
    for part in range(2):
        run = Started(archive, *args, "-o", "out", "--workers", "2")
        # Some way into what is left: what was skipped comes first, and at once.
        wanted = len(made) + rng.randrange(PICTURES // 6, PICTURES // 3)
        records = [json.loads(line) for line in run.lines(wanted)]
        os.kill(run.process.pid, signal.SIGKILL)
        assert run.end().status == -signal.SIGKILL
        assert run.all_gone()
        again = made & {one["output"] for one in records if one["status"] == "done"}
        assert not again, f"made twice, in part {part}"
        made |= {one["output"] for one in records if one["status"] == "done"}
    last = kfsr_run(archive, *args, "-o", "out", "--workers", "2")
    assert last.status == 3
    *records, summary = map(json.loads, last.stdout.splitlines())
    counts = summary["summary"]
    assert counts["failed"] == BAD
    assert counts["done"] + counts["skipped"] == PICTURES - BAD
    assert counts["skipped"] >= len(made)
    failed = [one for one in records if one["status"] == "failed"]
    assert len(failed) == BAD
    assert all(one["input"] in one["error"] for one in failed)
    assert len([line for line in last.stderr.splitlines() if line.startswith("kfsr: error: ")]) == BAD
    assert contents(archive / "out") == contents(archive / "whole")
    assert len(contents(archive / "out")) == PICTURES - BAD
    with capsys.disabled():
        sys.stdout.write(f"\n{PICTURES} pictures, killed twice: exit status {last.status}, {counts}\n")
