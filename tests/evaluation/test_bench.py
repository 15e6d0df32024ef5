"""`kfsr bench` on data sets of two small pictures: what it finds, what it scores, what it prints."""

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from process import QUICK, kfsr_run
from skimage import data
from skimage.color import rgb2ycbcr
from skimage.metrics import structural_similarity

import kfsr
from kfsr.errors import InputError
from kfsr.evaluation.bench import Row, by_kind, find_cases, profile, run_case, summary
from kfsr.image import Image, write_image
from kfsr.kernel import Kernel, gaussian_kernel, load_kernel, save_kernel
from kfsr.operator.spatial import degrade
from kfsr.recipe import Recipe

TRUTH = gaussian_kernel(np.array([[3.0, 1.2], [1.2, 1.5]]), 2)
DIRTY = Path("/work/shared/bench/dirty")
POINT = Kernel(np.ones((1, 1)), 1)
OTHER = gaussian_kernel(np.array([[1.5, 0.0], [0.0, 1.5]]), 2)


def save(pixels, path):
    path.parent.mkdir(exist_ok=True)
    PIL.Image.fromarray(pixels).save(path)


def halved(pixels, kernel):
    x = torch.from_numpy(pixels / 1.0).permute(2, 0, 1)[None]
    y = degrade(x, torch.from_numpy(kernel.array.copy()), 2)
    return np.rint(y[0].permute(1, 2, 0).numpy().clip(0, 255)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """im_2 and im_10 with kernels and truths, as DIV2KRK names them, and cat with neither."""
    for name, number, kernel, corner in (("im_2", 2, TRUTH, 150), ("im_10", 10, OTHER, 100)):
        sharp = data.astronaut()[0:160, corner : corner + 192]
        save(sharp, tmp_path / "gt" / f"{name}.png")
        save(halved(sharp, kernel), tmp_path / "lr_x2" / f"{name}.png")
        (tmp_path / "gt_k_x2").mkdir(exist_ok=True)
        save_kernel(kernel, tmp_path / "gt_k_x2" / f"kernel_{number}.npy")
    save(data.chelsea()[100:170, 130:220], tmp_path / "lr_x2" / "cat.png")
    (tmp_path / "lr_x2" / "notes.txt").write_text("no picture")
    return tmp_path


def bench(folder, *args):
    done = kfsr_run(folder, "bench", ".", *args)
    return subprocess.CompletedProcess(args, done.status, done.stdout.decode(), done.stderr)


def test_cases_in_natural_order_with_what_is_known(folder):
    cases = find_cases(folder, 2, [])
    assert [case.name for case in cases] == ["cat", "im_2", "im_10"]
    assert cases[0].truth is None
    assert cases[0].kernel is None
    assert cases[1].truth == folder / "gt" / "im_2.png"
    assert cases[1].kernel == folder / "gt_k_x2" / "kernel_2.npy"
    assert cases[2].kernel == folder / "gt_k_x2" / "kernel_10.npy"
    assert [case.name for case in find_cases(folder, 2, ["im_10"])] == ["im_10"]
    with pytest.raises(InputError, match="lr_x3"):
        find_cases(folder, 3, [])
    with pytest.raises(InputError, match="no such pictures"):
        find_cases(folder, 2, ["im_3"])


def test_a_kernel_under_the_pictures_own_name_comes_first(folder):
    save_kernel(TRUTH, folder / "gt_k_x2" / "im_10.npz")
    assert find_cases(folder, 2, ["im_10"])[0].kernel == folder / "gt_k_x2" / "im_10.npz"


def test_summary_by_hand():
    def row(**numbers):
        names = ["ncc", "ncc_shift2", "size_ratio", "psnr", "bicubic", "verdict", "picture_seconds"]
        return Row(**({"name": "x", "kernel_method": "y", "kernel_seconds": 1.0} | dict.fromkeys(names) | numbers))

    rows = [
        row(ncc=0.9, size_ratio=1.2, psnr=30.0, bicubic=28.0, ssim=0.9, lanczos=28.5),
        row(ncc=1.0, size_ratio=0.9, psnr=25.0, bicubic=25.5, ssim=0.8, lanczos=25.0, name="z"),
        row(size_ratio=1.0),
    ]
    expected = {
        "pictures": 3,
        "mean_ncc": 0.95,
        "mean_psnr": 27.5,
        "mean_ssim": 0.85,
        "mean_bicubic": 26.75,
        "mean_lanczos": 26.75,
        "mean_kernel_seconds": 1.0,
        "median_size_error": 0.1,
        "p90_size_error": 0.18,
        "mean_gain": 0.75,
        "least_gain": -0.5,
        "mean_gain_lanczos": 0.75,
        "least_gain_lanczos": 0.0,
        "below_bicubic": 1,
    }
    found = summary(rows)
    assert found.pop("worst") == "z"
    assert found == pytest.approx(expected)
    assert summary([]) == {"pictures": 0}


def test_where_the_time_goes_by_hand():
    rows = [
        Row("a", "y", 2.0, picture_seconds=3.0, timings={"spectral": 0.5, "solver": 1.5}, megapixels=0.5),
        Row("b", "y", 1.0, timings={"spectral": 0.5}),
    ]
    found = profile(rows)
    assert list(found["stages"].items()) == [("other", 1.75), ("solver", 0.75), ("spectral", 0.5)]
    assert found["solver_seconds_per_megapixel"] == 3
    assert profile([]) == {"stages": {}}
    assert "solver_seconds_per_megapixel" not in profile(rows[1:])


def test_the_profile_holds_every_stage_and_all_of_the_time(folder):
    done = bench(folder, "im_2", "im_10", "--preset", "fast", "--json", "--profile", "-q")
    *rows, last = [json.loads(line) for line in done.stdout.splitlines()]
    stages = last["profile"]["stages"]
    assert {"spectral", "gate", "solver", "means", "other"} <= set(stages)
    whole = sum(row["kernel_seconds"] + row["picture_seconds"] for row in rows) / 2
    assert sum(stages.values()) == pytest.approx(whole, rel=0.01)
    table = bench(folder, "im_2", "--preset", "fast", "--profile", "-q").stdout.splitlines()
    assert re.fullmatch(r"stage +s a picture +share", table[-len(stages) - 2])
    assert re.fullmatch(r"solver: [\d.]+ s a megapixel of result", table[-1])
    assert "stage" not in bench(folder, "im_2", "--preset", "fast", "-q").stdout


def test_less_than_a_tenth_of_a_db_below_bicubic_does_not_count():
    rows = [Row(str(loss), "y", 1.0, psnr=30 - loss, bicubic=30.0) for loss in (0.05, 0.09, 0.11)]
    assert summary(rows)["below_bicubic"] == 1


def test_kinds_are_summed_up_where_there_are_two():
    def rows(*names):
        return [Row(name, "y", 1.0, psnr=30.0 + n, bicubic=30.0) for n, name in enumerate(names)]

    found = by_kind(rows("web_1", "old_phone_2", "web_10", "cat", "old_phone_x"))
    assert list(found) == ["old_phone", "web"]
    assert [found[kind]["mean_gain"] for kind in found] == [1, 1]
    assert (found["web"]["pictures"], found["web"]["worst"]) == (2, "web_1")
    assert by_kind(rows("im_1", "im_2", "cat")) == {}


def test_pictures_of_any_format_and_the_scores_of_others(tmp_path):
    """JPEG, WebP and TIFF with truths of other formats; SSIM and Lanczos as scikit-image and Pillow have them."""
    names = {"phone_1": (".jpg", ".png"), "phone_10": (".JPEG", ".png"), "phone_2": (".webp", ".tif")}
    for name, (low_ending, ending) in (names | {"web_1": (".tiff", ".jpg")}).items():
        sharp = data.chelsea()[40:168, 100:240]
        save(sharp, tmp_path / "gt" / f"{name}{ending}")
        save(halved(sharp, OTHER), tmp_path / "lr_x2" / f"{name}{low_ending}")
    done = bench(tmp_path, *QUICK, "--json", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    *records, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["name"] for record in records] == ["phone_1", "phone_2", "phone_10", "web_1"]
    assert {kind: one["pictures"] for kind, one in last["kinds"].items()} == {"phone": 3, "web": 1}
    first = records[0]
    assert first["gain_lanczos"] == first["psnr"] - first["lanczos"]
    truth, low = (PIL.Image.open(tmp_path / path) for path in ("gt/phone_1.png", "lr_x2/phone_1.jpg"))
    inside = (slice(16, -16), slice(16, -16))
    enlarged = np.asarray(low.resize(truth.size, PIL.Image.Resampling.LANCZOS)) / 255
    y, other = (rgb2ycbcr(picture)[..., 0][inside] for picture in (np.asarray(truth) / 255, enlarged))
    assert first["lanczos"] == pytest.approx(-10 * np.log10(np.mean((y - other) ** 2) / 255**2), abs=0.02)
    bicubic = kfsr.upscale(np.asarray(low), kernel_method="bicubic", solver="bicubic").image.pixels
    other = rgb2ycbcr(np.rint(bicubic * 255) / 255)[..., 0][inside]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    assert first["ssim"] == first["bicubic_ssim"] == pytest.approx(structural_similarity(y, other, **options), abs=1e-3)
    table = bench(tmp_path, *QUICK, "-q").stdout.splitlines()
    assert [line.split()[0] for line in table[-3:]] == ["kind", "phone", "web"]
    assert table[-1].split()[-1] == "web_1"


@pytest.fixture
def blurred(tmp_path):
    """soft_1 under a kernel that is known, and sharp_2, which is its own truth."""
    kernel = gaussian_kernel(np.array([[1.6, 0.5], [0.5, 0.9]]), 1)
    sharp = data.astronaut()[0:160, 150:310]
    x = torch.from_numpy(sharp / 1.0).permute(2, 0, 1)[None]
    soft = degrade(x, torch.from_numpy(kernel.array.copy()), 1)[0].permute(1, 2, 0).numpy()
    for name, low, truth in (("soft_1", np.rint(soft).astype(np.uint8), kernel), ("sharp_2", sharp, POINT)):
        save(sharp, tmp_path / "gt" / f"{name}.png")
        save(low, tmp_path / "lr_x1" / f"{name}.png")
        (tmp_path / "gt_k_x1").mkdir(exist_ok=True)
        save_kernel(truth, tmp_path / "gt_k_x1" / f"{name}.npz")
    return tmp_path


def test_at_scale_1_a_result_is_compared_with_the_picture_as_it_is(blurred):
    args = ("--scale", "1", "--kernel-method", "true", "-q")
    sharp, soft, last = map(json.loads, bench(blurred, *args, "--json").stdout.splitlines())
    truth, low = (
        rgb2ycbcr(np.asarray(PIL.Image.open(blurred / place / "soft_1.png")) / 255)[32:-32, 32:-32, 0]
        for place in ("gt", "lr_x1")
    )
    assert soft["bicubic"] == pytest.approx(-10 * np.log10(np.mean((truth - low) ** 2) / 255**2), abs=0.01)
    assert soft["gain"] > 3
    assert (soft["lanczos"], soft["gain_lanczos"]) == (None, None)
    assert (sharp["verdict"], sharp["psnr"], sharp["gain"], sharp["size_ratio"]) == ("unchanged", None, 0, None)
    assert (last["summary"]["pictures"], last["summary"]["below_bicubic"]) == (2, 0)
    assert last["summary"]["median_size_error"] == pytest.approx(0)
    head, *rows = bench(blurred, *args).stdout.splitlines()
    assert "as it is" in head
    assert not {"bicubic", "Lanczos"} & set(head.split())
    assert "as it is" in next(row for row in rows if row.startswith("kind"))
    assert re.search(r"unchanged +point$|unchanged +\S+$", rows[0])


def test_two_pictures_of_one_name(folder):
    save(data.chelsea()[100:170, 130:220], folder / "lr_x2" / "cat.jpg")
    with pytest.raises(InputError, match=r"cat\.jpg and .*cat\.png have one name"):
        find_cases(folder, 2, [])


def test_dirty_pictures_as_they_are():
    if not DIRTY.is_dir():
        pytest.skip(f"{DIRTY} is not here")
    done = kfsr_run(DIRTY, "bench", "x4", "phone_1", "web_1", "scan_2", "--scale", "4", *QUICK, "--json", "-q").ok()
    *records, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["name"] for record in records] == ["phone_1", "scan_2", "web_1"]
    for record in records:
        # Interpolations differ little from each other, and no truth lies on another grid.
        assert abs(record["gain_lanczos"]) < 0.5
        assert record["psnr"] > 18
    assert list(last["kinds"]) == ["phone", "scan", "web"]


def test_a_row_for_each_picture_and_a_summary(folder):
    done = bench(folder, "--kernel-method", "spectral", "--solver", "bicubic", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    head, *lines = done.stdout.splitlines()
    assert head.split()[:2] == ["name", "NCC"]
    assert [line.split()[0] for line in lines[:4]] == ["cat", "im_2", "im_10", "pictures"]
    cells = lines[1].split()
    assert 0.5 < float(cells[1]) <= 1
    # Bicubic interpolation gains nothing over itself.
    numbers = dict(zip(head.replace("over L.", "over").split()[1:], cells[1:], strict=False))
    assert numbers["dB"] == numbers["bicubic"]
    assert float(numbers["gain"]) == 0
    # Nothing is known about the cat.
    assert lines[0].split()[1:10] == ["-"] * 9
    totals = dict(line.split() for line in lines[3:])
    assert totals["pictures"] == "3"
    assert float(totals["mean_gain"]) == 0


def test_the_true_kernels(folder):
    recipe = Recipe.make(preset="fast", solver="bicubic")
    rows = [run_case(case, recipe, true_kernel=True) for case in find_cases(folder, 2, ["im_2", "im_10"])]
    assert [row.name for row in rows] == ["im_2", "im_10"]
    for row in rows:
        assert row.ncc == pytest.approx(1)
        assert row.size_ratio == pytest.approx(1)
        assert row.psnr == row.bicubic > 15
        assert row.verdict == "trusted"
    assert summary(rows)["below_bicubic"] == 0
    (cat,) = find_cases(folder, 2, ["cat"])
    with pytest.raises(InputError, match="cat: there is no true kernel"):
        run_case(cat, recipe, true_kernel=True)


def test_a_refinement_that_is_asked_for_is_made_once(folder, monkeypatch):
    """The kernel is refined where it is estimated, and not again where the picture is made."""
    refined = []
    monkeypatch.setattr("kfsr.evaluation.bench.estimate_kernel", lambda picture, recipe, **_: TRUTH)
    monkeypatch.setattr("kfsr.estimators.refinement.refine", lambda *args, **options: refined.append(args) or TRUTH)
    (case,) = find_cases(folder, 2, ["im_2"])
    row = run_case(case, Recipe.make(refine=True, solver="bicubic"))
    assert row.psnr == row.bicubic
    assert refined == []


def test_pictures_of_16_bits_are_scored_with_16_bits(tmp_path):
    low = data.astronaut()[100:164, 150:230].astype(np.uint16) * 128 + 1001
    high = kfsr.upscale(low, scale=2, kernel_method="bicubic", solver="bicubic").image
    truth = np.rint(high.pixels * 65535).astype(np.uint16) + np.uint16(3)
    for name, values in (("lr_x2", low), ("gt", truth)):
        (tmp_path / name).mkdir()
        write_image(Image.from_array(values), tmp_path / name / "deep.png")
    (case,) = find_cases(tmp_path, 2, [])
    row = run_case(case, Recipe.make(kernel_method="bicubic", solver="bicubic"))
    assert row.psnr == pytest.approx(-20 * np.log10(3 / 65535 * 219 / 255), abs=0.05)


def test_kernels_are_kept_with_their_method_and_taken_again(folder):
    (case,) = find_cases(folder, 2, ["im_10"])
    (folder / "kept").mkdir()
    first, again = (
        run_case(case, Recipe.make(kernel_method=method), pictures=False, kernels=folder / "kept")
        for method in ("spectral", "bicubic")
    )
    assert [path.name for path in (folder / "kept").iterdir()] == ["im_10.npz"]
    assert again.kernel_method == first.kernel_method == "spectral"
    assert again.ncc == pytest.approx(first.ncc, abs=1e-12)
    kept = load_kernel(folder / "kept" / "im_10.npz", 2)
    assert (kept.provenance.source, kept.provenance.pictures) == ("estimated", 1)


def test_a_picture_that_fails_does_not_stop_the_rest(folder):
    (folder / "lr_x2" / "im_2.png").write_bytes(b"no picture")
    done = bench(folder, "--kernel-method", "spectral", "--kernels-only", "--json", "-q")
    assert done.returncode == 3
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record.get("name") for record in records] == ["cat", "im_2", "im_10", None]
    assert "error" in records[1]
    assert records[2]["psnr"] is None
    assert records[2]["picture_seconds"] is None
    assert 0.5 < records[2]["ncc"] <= 1
    assert records[3]["summary"]["pictures"] == 2
    assert "torch" in records[3]["versions"]
    assert len(done.stderr.splitlines()) == 1


def test_nothing_to_score(folder):
    done = bench(folder, "cat", "--kernel-method", "true")
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].startswith("kfsr: error: ")


@pytest.mark.slow
def test_a_solver_gains_over_bicubic(folder):
    (case,) = find_cases(folder, 2, ["im_2"])
    row = run_case(case, Recipe.make(preset="fast"), true_kernel=True)
    assert row.psnr > row.bicubic + 3
