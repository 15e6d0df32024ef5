"""Completion in shells: the scripts that typer makes, and what they ask the program."""

import shutil
import subprocess

import pytest
from process import command, environment


def completed(folder, **env):
    done = subprocess.run(command(), cwd=folder, env=environment(**env), capture_output=True, text=True, timeout=60)
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_there_is_a_script(tmp_path, shell):
    script = completed(tmp_path, _KFSR_COMPLETE=f"source_{shell}")
    assert "_KFSR_COMPLETE=complete_" in script
    assert " kfsr" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_bash_completes_commands_and_options(tmp_path):
    asked = completed(tmp_path, _KFSR_COMPLETE="complete_bash", COMP_WORDS="kfsr up", COMP_CWORD="1")
    assert asked.split() == ["upscale"]
    asked = completed(tmp_path, _KFSR_COMPLETE="complete_bash", COMP_WORDS="kfsr upscale --ker", COMP_CWORD="2")
    assert {"--kernel", "--kernel-from", "--kernel-method"} <= set(asked.split())
    asked = completed(tmp_path, _KFSR_COMPLETE="complete_bash", COMP_WORDS="kfsr upscale --preset ", COMP_CWORD="3")
    assert asked.split() == ["fast", "balanced", "best"]


def test_deblur_offers_what_is_defined_at_its_scale(tmp_path):
    words = {"COMP_WORDS": "kfsr deblur --kernel-method ", "COMP_CWORD": "3"}
    offered = completed(tmp_path, _KFSR_COMPLETE="complete_bash", **words).split()
    assert {"auto", "shake"} <= set(offered)
    assert "spectral" not in offered
    asked = completed(tmp_path, _KFSR_COMPLETE="complete_bash", COMP_WORDS="kfsr deb", COMP_CWORD="1")
    assert asked.split() == ["deblur"]


def test_zsh_completes_with_the_help(tmp_path):
    asked = completed(tmp_path, _KFSR_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="kfsr ups")
    assert "upscale" in asked
    assert "kernel" not in asked.replace("kernels", "")


def test_it_is_installed_for_the_shell_of_the_user(tmp_path):
    if not shutil.which("bash"):
        pytest.skip("no bash here")
    (tmp_path / "home").mkdir()
    script = f"{' '.join(command('--install-completion', 'bash'))}; exit $?"
    done = subprocess.run(
        ["bash", "-c", script], env=environment(HOME=str(tmp_path / "home")), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "completion" in (tmp_path / "home" / ".bashrc").read_text()
    assert any("kfsr" in path.name for path in (tmp_path / "home").rglob("*"))
