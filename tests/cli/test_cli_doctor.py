"""`kfsr doctor` on this installation, and on one that is broken."""

import json

import torch
from process import environment, kfsr_run


def test_healthy(tmp_path):
    done = kfsr_run(tmp_path, "doctor").ok()
    lines = done.stdout.decode().splitlines()
    assert lines[-1] == "healthy"
    assert f"torch    {torch.__version__}" in lines
    assert done.stderr == ""


def test_json(tmp_path):
    record = json.loads(kfsr_run(tmp_path, "doctor", "--json").ok().stdout)
    assert record["healthy"] is True
    assert record["devices"]["cpu"]["threads"] == 1
    assert {"PNG", "JPEG"} <= set(record["formats"])
    assert set(record["tests"].values()) == {"ok"}


def test_not_healthy(tmp_path):
    (tmp_path / "torch.py").write_text("raise OSError('libtorch.so is missing')\n")
    env = environment()
    env["PYTHONPATH"] = f"{tmp_path}:{env['PYTHONPATH']}"
    done = kfsr_run(tmp_path, "doctor", "--json", env=env)
    assert done.status == 1
    record = json.loads(done.stdout)
    assert record["healthy"] is False
    assert "libtorch.so is missing" in record["problems"][0]
