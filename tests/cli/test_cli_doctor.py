"""`kfsr doctor` on this installation, and on one that is broken."""

import json
from importlib.metadata import version
from importlib.util import find_spec

import torch
from process import environment, kfsr_run


def test_healthy(tmp_path):
    done = kfsr_run(tmp_path, "doctor").ok()
    lines = done.stdout.decode().splitlines()
    assert lines[-1] == "healthy"
    assert f"torch    {torch.__version__}" in lines
    assert any(line.startswith("score    +") for line in lines)
    assert done.stderr == ""


def test_json(tmp_path):
    record = json.loads(kfsr_run(tmp_path, "doctor", "--json").ok().stdout)
    assert record["healthy"] is True
    assert record["devices"]["cpu"]["threads"] == 1
    assert {"PNG", "JPEG"} <= set(record["formats"])
    assert "16 bits a channel" in record["tests"]
    assert set(record["tests"].values()) == {"ok"}
    assert record["score"]["gain_db"] > 3
    assert 0.98 < record["score"]["kernel_ncc"] <= 1


def test_extras_are_listed_with_their_version_or_the_way_to_get_them(tmp_path):
    record = json.loads(kfsr_run(tmp_path, "doctor", "--json").ok().stdout)
    text = kfsr_run(tmp_path, "doctor").ok().stdout.decode()
    for package in ("pillow-heif", "basicsr"):
        there = find_spec(package.replace("-", "_")) is not None
        found = record["extras"][package]
        assert found == version(package) if there else found.startswith("missing (")
        assert f"{package} {found}" in text
    assert ("HEIC" in record["formats"]) == (find_spec("pillow_heif") is not None)


def test_not_healthy(tmp_path):
    (tmp_path / "torch.py").write_text("raise OSError('libtorch.so is missing')\n")
    env = environment()
    env["PYTHONPATH"] = f"{tmp_path}:{env['PYTHONPATH']}"
    done = kfsr_run(tmp_path, "doctor", "--json", env=env)
    assert done.status == 1
    record = json.loads(done.stdout)
    assert record["healthy"] is False
    assert "libtorch.so is missing" in record["problems"][0]


def test_what_computes_wrongly_is_not_healthy(tmp_path):
    """An installation whose solver only interpolates."""
    (tmp_path / "sitecustomize.py").write_text(
        "import kfsr.solvers.unrolled as u\n"
        "from kfsr.operator.spatial import bicubic_upscale\n"
        "u.solve = lambda low_res, kernel, scale, *rest: bicubic_upscale(low_res, scale)\n"
    )
    env = environment()
    env["PYTHONPATH"] = f"{tmp_path}:{env['PYTHONPATH']}"
    done = kfsr_run(tmp_path, "doctor", env=env)
    assert done.status == 1
    assert done.stdout.decode().splitlines()[-1].startswith("not healthy: blind upscaling: ")
