"""`kfsr evaluate` against scikit-image, and how it pairs files."""

import importlib.util
import json

import numpy as np
import PIL.Image
import pytest
from process import kfsr_run
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from kfsr.evaluation.niqe import niqe
from kfsr.kernel import Kernel, gaussian_kernel, save_kernel


def luma(path):
    rgb = np.asarray(PIL.Image.open(path).convert("RGB")).astype(float) / 255
    return (16 + rgb @ np.array([65.481, 128.553, 24.966])) / 255


@pytest.fixture
def pairs(photos):
    """truth/face.png and truth/cat.png, and noisy ones in result/ under names with a scale."""
    random = np.random.default_rng(3)
    for folder in ("truth", "result"):
        (photos / folder).mkdir()
    for name, sigma in (("face.png", 5), ("cat.jpg", 9)):
        image = np.asarray(PIL.Image.open(photos / name)).astype(float)
        noisy = np.clip(image + random.normal(0, sigma, image.shape), 0, 255).round()
        stem = name.split(".")[0]
        PIL.Image.fromarray(image.astype(np.uint8)).save(photos / "truth" / f"{stem}.png")
        PIL.Image.fromarray(noisy.astype(np.uint8)).save(photos / "result" / f"{stem}_x2.png")
    return photos


def test_scores_of_two_files(pairs):
    args = ("evaluate", "result/face_x2.png", "truth/face.png", "--border", "4", "--json")
    one, mean = map(json.loads, kfsr_run(pairs, *args).ok().stdout.splitlines())
    a, b = (luma(pairs / name)[4:-4, 4:-4] for name in ("result/face_x2.png", "truth/face.png"))
    assert one["y_psnr"] == pytest.approx(peak_signal_noise_ratio(b, a, data_range=1), abs=1e-6)
    ssim = structural_similarity(a, b, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    assert one["y_ssim"] == pytest.approx(ssim, abs=1e-6)
    assert (mean["mean_of"], mean["y_psnr"]) == (1, one["y_psnr"])


def test_folders_pair_by_name(pairs):
    (pairs / "result" / "alone_x2.png").write_bytes((pairs / "result" / "face_x2.png").read_bytes())
    (pairs / "result" / "notes.txt").write_text("no picture")
    done = kfsr_run(pairs, "evaluate", "result", "truth").ok()
    rows = [line.split() for line in done.stdout.decode().splitlines()]
    assert [row[0] for row in rows] == ["picture", "cat_x2.png", "face_x2.png", "mean"]
    assert float(rows[3][3]) == pytest.approx((float(rows[1][1]) + float(rows[2][1])) / 2, abs=0.002)
    assert done.stderr.startswith("kfsr: warning: 1 of 3 pictures have no truth: alone_x2.png")


def test_one_bad_pair_does_not_stop_the_rest(pairs):
    PIL.Image.new("RGB", (20, 20)).save(pairs / "result" / "cat_x2.png")
    done = kfsr_run(pairs, "evaluate", "result", "truth", "--json")
    assert done.status == 3
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one.get("status") for one in records] == ["failed", "done", None]
    assert records[2]["mean_of"] == 1
    assert records[2]["y_psnr"] == records[1]["y_psnr"]
    line = kfsr_run(pairs, "evaluate", "result/cat_x2.png", "truth/cat.png").error_line(4)
    assert "20 x 20" in line


def test_equal_pictures_have_no_finite_psnr(pairs):
    args = ("evaluate", "truth/cat.png", "truth/cat.png")
    assert json.loads(kfsr_run(pairs, *args, "--json").ok().stdout.splitlines()[0])["y_psnr"] is None
    assert " inf " in kfsr_run(pairs, *args).ok().stdout.decode()


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("result", "truth/face.png"), "two folders"),
        (("nowhere", "truth"), "nowhere"),
        (("result", "empty"), "no two pictures"),
        (("result", "double"), "both a truth"),
    ],
)
def test_what_cannot_be_paired(pairs, args, word):
    (pairs / "empty").mkdir()
    (pairs / "double").mkdir()
    for name in ("face.png", "face.webp"):
        (pairs / "double" / name).write_bytes((pairs / "truth" / "face.png").read_bytes())
    assert word in kfsr_run(pairs, "evaluate", *args).error_line(4)


def test_kernels(photos):
    # Smooth, off-centre by its own lobe, and not symmetric.
    base = gaussian_kernel(np.array([[1.5, 0.5], [0.5, 1.0]]), 2, 16).array
    truth = Kernel((2 * base + np.roll(base, (3, 1), (0, 1))) / 3, 2)
    shifted = Kernel(np.roll(truth.array, (1, -1), (0, 1)), 2)
    flipped = Kernel(truth.array[::-1, ::-1], 2)
    for name, kernel in (("truth", truth), ("shifted", shifted), ("flipped", flipped)):
        save_kernel(kernel, photos / f"{name}.npy")

    def scores(name):
        args = (
            "evaluate",
            "--kernel",
            f"{name}.npy",
            "--kernel-truth",
            "truth.npy",
            "--scale",
            "2",
            "--json",
        )
        return json.loads(kfsr_run(photos, *args).ok().stdout)

    own, moved, turned = scores("truth"), scores("shifted"), scores("flipped")
    assert (own["ncc"], own["size_ratio"]) == pytest.approx((1, 1))
    assert own["ncc_flipped"] < 0.99
    assert moved["ncc"] < 0.99
    assert moved["ncc_shift2"] == pytest.approx(1, abs=1e-4)
    assert turned["ncc_flipped"] == pytest.approx(1)
    table = kfsr_run(photos, "evaluate", "--kernel", "flipped.npy", "--kernel-truth", "truth.npy", "-s", "2").ok()
    assert f"NCC, truth turned by 180  {turned['ncc_flipped']:.4f}" in table.stdout.decode()


@pytest.mark.skipif(importlib.util.find_spec("basicsr") is None, reason="basicsr is not installed (docs/install.md)")
def test_without_a_truth_niqe_is_printed(photos):
    PIL.Image.fromarray(data.astronaut()).save(photos / "portrait.png")
    done = kfsr_run(photos, "evaluate", ".", "--json")
    assert done.status == 3
    records = [json.loads(line) for line in done.stdout.splitlines()]
    scores = {one["result"]: one["niqe"] for one in records if one.get("status") == "done"}
    assert list(scores) == ["portrait.png"]
    assert scores["portrait.png"] == pytest.approx(niqe(data.astronaut() / 255), abs=1e-4)
    assert records[-1] == {"mean_of": 1, "niqe": scores["portrait.png"]}
    assert "too small" in records[0]["error"]


def test_nothing_to_score_in_the_folder(photos):
    (photos / "empty").mkdir()
    assert "no picture" in kfsr_run(photos, "evaluate", "empty").error_line(4)
    assert "no such file" in kfsr_run(photos, "evaluate", "missing.png").error_line(4)
