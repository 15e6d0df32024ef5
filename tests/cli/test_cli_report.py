"""`--report` and `kfsr report`: a page of what was done, from the run or from the lists that it left."""

import json
import os

import PIL.Image
import pytest
from process import QUICK, kfsr_run

LIST = ".kfsr.ndjson"


def page_of(path):
    return path.read_text(encoding="utf-8")


def lines_of(folder):
    return [json.loads(line) for line in (folder / LIST).read_text().splitlines() if line]


def test_a_run_leaves_a_page_and_what_it_told(photos):
    (photos / "bad.png").write_bytes(b"no picture")
    done = kfsr_run(photos, "upscale", ".", "-o", "out/", *QUICK, "--report", "out/index.html")
    assert done.status == 3
    assert "report: out/index.html" in done.stderr
    text = page_of(photos / "out" / "index.html")
    assert text.index("bad_x2.png</h2>") < text.index("cat_x2.jpg</h2>") < text.index("gray_x2.png</h2>")
    assert "not an image that can be read" in text
    assert text.count('type="application/json"') == 3
    told = {one["file"]: one["told"] for one in lines_of(photos / "out") if "told" in one}
    assert told["bad_x2.png"]["status"] == "failed"
    assert told["face_x2.png"]["report"]["gate"]["verdict"] == "trusted"
    assert told["face_x2.png"]["input"] == "../face.png"


def test_the_page_can_be_made_afterwards_and_of_a_single_result(photos):
    kfsr_run(photos, "upscale", "face.png", *QUICK).ok()
    kfsr_run(photos, "report", ".").ok()
    first = page_of(photos / "index.html")
    assert "face_x2.png</h2>" in first
    kfsr_run(photos, "report", "face_x2.png", "-o", "one.html").ok()
    assert page_of(photos / "one.html").replace("kfsr: ", "") == first.replace("kfsr: ", "")


def test_what_an_earlier_run_has_finished_is_on_the_page_too(photos):
    args = ("upscale", "face.png", "cat.jpg", "-o", "out/", *QUICK)
    kfsr_run(photos, *args, "--report", "first.html").ok()
    (photos / "out" / "cat_x2.jpg").unlink()
    kfsr_run(photos, *args, "--skip-existing", "--report", "second.html").ok()
    text = page_of(photos / "second.html")
    for name in ("face_x2.png", "cat_x2.jpg"):
        assert f"{name}</h2>" in text
    assert text.count("trusted") == 0  # words for people
    assert text.count("interpolated, as asked") == 2


def test_results_that_are_gone_are_left_out(photos):
    kfsr_run(photos, "upscale", "face.png", "cat.jpg", "-o", "out/", *QUICK).ok()
    (photos / "out" / "cat_x2.jpg").unlink()
    done = kfsr_run(photos, "report", "out").ok()
    assert "1 result no longer there" in done.stderr
    assert "cat_x2" not in page_of(photos / "out" / "index.html")


def test_sub_folders_and_names_that_are_no_text(photos):
    (photos / "in" / "deep").mkdir(parents=True)
    name = os.fsdecode(b"caf\xe9 <b>.png")
    PIL.Image.open(photos / "face.png").save(photos / "in" / "deep" / name)
    kfsr_run(photos, "upscale", "in", "-r", "-o", "out/", *QUICK).ok()
    kfsr_run(photos, "report", "out").ok()
    text = page_of(photos / "out" / "index.html")
    assert "deep/caf\\udce9 &lt;b&gt;_x2.png" in text
    assert 'href="deep/caf%E9%20%3Cb%3E_x2.png"' in text
    assert 'href="../in/deep/caf%E9%20%3Cb%3E.png"' in text


def test_a_list_of_an_earlier_version_will_do(photos):
    kfsr_run(photos, "upscale", "face.png", *QUICK).ok()
    lines = [line for line in (photos / LIST).read_text().splitlines(True) if "told" not in line]
    (photos / LIST).write_text("".join(lines) + '{"file": "x.png", "told": 7}\n{"file": 3}\nnonsense\n')
    kfsr_run(photos, "report").ok()
    assert "nothing more was written down" in page_of(photos / "index.html")


def test_deblurred_pictures_are_compared_with_what_they_were(photos):
    kfsr_run(photos, "deblur", "face.png", "--strength", "0", "--report", ".").ok()
    text = page_of(photos / "index.html")
    assert '["before","data:image/webp' in text
    assert "left as it is" in text


def test_a_run_in_which_nothing_is_done_leaves_no_list(photos):
    (photos / "bad.png").write_bytes(b"no picture")
    assert kfsr_run(photos, "upscale", "bad.png").status == 4
    assert not (photos / LIST).exists()


def test_what_failed_is_known_where_there_is_a_list(photos):
    kfsr_run(photos, "upscale", "face.png", *QUICK).ok()
    (photos / "bad.png").write_bytes(b"no picture")
    kfsr_run(photos, "upscale", "bad.png")
    assert [one["told"]["status"] for one in lines_of(photos) if "told" in one] == ["done", "failed"]


WRONG = {
    "no page": (("upscale", "face.png", "--report", "out.png"), 2, "ends in .html"),
    "standard output": (("upscale", "face.png", "-o", "-", "--report", "a.html"), 2, "-o"),
    "somebody's page": (("upscale", "face.png", "--report", "mine.html"), 4, "not a report of kfsr"),
    "somebody's index": (("report", ".", "-o", "mine.html"), 4, "mine.html"),
    "a file as a folder": (("upscale", "face.png", "--report", "mine.html/a.html"), 4, "nothing can be written into"),
    "no results": (("report", "."), 4, "no kfsr results"),
    "no folder": (("report", "nowhere"), 4, "no such folder"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls(photos, case):
    args, status, words = WRONG[case]
    (photos / "mine.html").write_text("<p>mine</p>")
    if case == "somebody's index":
        kfsr_run(photos, "upscale", "face.png", *QUICK).ok()
    assert words in kfsr_run(photos, *args).error_line(status)
    assert (photos / "mine.html").read_text() == "<p>mine</p>"
    assert case == "somebody's index" or not (photos / "face_x2.png").exists()


def test_a_dry_run_writes_no_page(photos):
    kfsr_run(photos, "upscale", "face.png", "--dry-run", "--report", "a.html").ok()
    assert not (photos / "a.html").exists()


def test_bench_shows_the_truth_and_the_worst_first(photos):
    for name in ("face", "gray", "cat"):
        picture = PIL.Image.open(next(photos.glob(f"{name}.*"))).convert("RGB").crop((0, 0, 64, 64))
        for folder in ("gt", "lr_x2"):
            (photos / "set" / folder).mkdir(parents=True, exist_ok=True)
        picture.save(photos / "set" / "gt" / f"{name}.png")
        picture.resize((32, 32), PIL.Image.Resampling.BOX).save(photos / "set" / "lr_x2" / f"{name}.png")
    (photos / "set" / "lr_x2" / "bad.png").write_bytes(b"no picture")
    args = ("bench", "set", "--kernel-method", "bicubic", "--json", "--report", "set/index.html")
    done = kfsr_run(photos, *args)
    assert done.status == 3
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    gains = {one["name"]: one["gain"] for one in rows if "gain" in one}
    text = page_of(photos / "set" / "index.html")
    order = sorted(["bad", *gains], key=lambda name: text.index(f"<h2>{name}</h2>"))
    assert order == ["bad", *sorted(gains, key=gains.get)]
    assert text.count('["truth","data:') == 3
    assert "dB over bicubic" in text
