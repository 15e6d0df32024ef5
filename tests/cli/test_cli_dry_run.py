"""`kfsr upscale --dry-run`: says what a run would do, and does nothing."""

import json
import shutil

from process import QUICK, kfsr_run


def contents(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_the_plan_is_what_the_run_then_does(photos):
    (photos / "in" / "sub").mkdir(parents=True)
    for name, place in (("face.png", "in"), ("cat.jpg", "in/sub"), ("gray.png", "in/sub")):
        shutil.copy(photos / name, photos / place)
    (photos / "in" / "bad.png").write_bytes(b"no picture")
    (photos / "in" / "empty.png").write_bytes(b"")
    args = ("upscale", "in", "-r", "-o", "out", "--skip-existing", "--json", *QUICK)
    kfsr_run(photos, "upscale", "in/face.png", "-o", "out/", "--skip-existing", *QUICK).ok()

    before = contents(photos)
    dry = kfsr_run(photos, *args, "--dry-run", "--save-kernel", "kernels/")
    assert contents(photos) == before
    assert dry.status == 3
    dry = kfsr_run(photos, *args, "--dry-run")
    assert contents(photos) == before
    assert dry.status == 3
    done = kfsr_run(photos, *args)
    assert done.status == 3
    (*planned, total), (*records, _) = (list(map(json.loads, run.stdout.splitlines())) for run in (dry, done))
    for plan, record in zip(planned, records, strict=True):
        same = ("input", "output", "settings", "error")
        assert [plan.get(key) for key in same] == [record.get(key) for key in same]
        assert plan["status"] == {"done": "to do"}.get(record["status"], record["status"])
    assert [line for line in dry.stderr.splitlines() if "error" in line] == [
        line for line in done.stderr.splitlines() if "error" in line
    ]
    assert total["summary"] == {"to do": 2, "skipped": 1, "failed": 2}
    costs = [one["estimate"] for one in planned if "estimate" in one]
    assert total["estimate"]["seconds"] > sum(one["seconds"] for one in costs)
    assert total["estimate"]["memory_mib"] >= max(one["memory_mib"] for one in costs) > 100


def test_in_words(photos):
    done = kfsr_run(photos, "upscale", "face.png", "cat.jpg", "-o", "new/", "--dry-run").ok()
    *lines, total = done.stdout.decode().splitlines()
    assert [line.split(", about ")[0] for line in lines] == [
        "face.png -> new/face_x2.png: to do",
        "cat.jpg -> new/cat_x2.jpg: to do",
    ]
    assert total.startswith("2 to do, 0 skipped, 0 failed: about ")
    assert not (photos / "new").exists()


def test_a_picture_too_large(photos):
    args = ("upscale", "face.png", "--dry-run", "--max-pixels", "1000", *QUICK)
    assert "more than the limit of 1000" in kfsr_run(photos, *args).stderr
