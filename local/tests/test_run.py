"""./run itself, in a checkout of its own whose path has a space."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import ROOT

# Stands for uv: makes the environment and writes down that it was called.
FAKE_UV = """#!/bin/sh
echo "$1" >>"$UV_CALLS"
[ "$1" = venv ] || exit 0
mkdir -p .venv/bin && ln -sf "$REAL_PYTHON" .venv/bin/python
"""


class Checkout:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.programs = folder / "programs"
        self.calls = folder / "calls"
        (self.root / "local").mkdir(parents=True)
        self.programs.mkdir()
        self.calls.touch()
        shutil.copy(ROOT / "run", self.root)
        (self.root / "requirements-dev.txt").write_text("one==1\n")
        (self.root / "local/__main__.py").write_text("import sys; print(*sys.argv[1:], sep='|')\n")
        uv = self.programs / "uv"
        uv.write_text(FAKE_UV)
        uv.chmod(0o755)

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        base = {"PATH": f"{self.programs}:/usr/bin:/bin", "PYTHON": sys.executable}
        own = {"UV_CALLS": str(self.calls), "REAL_PYTHON": sys.executable}
        return subprocess.run(
            [str(self.root / "run"), *arguments],
            env=base | own | env,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def uv_calls(self) -> list[str]:
        return self.calls.read_text().split()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize(
    ("shell", "script"),
    [("sh", "run"), ("sh", "deploy/entrypoint.sh"), ("bash", ".ci/run")],
)
def test_it_is_a_valid_script_and_executable(shell, script):
    subprocess.run([shell, "-n", ROOT / script], check=True)

    assert os.access(ROOT / script, os.X_OK)


def test_it_installs_and_hands_its_arguments_over(checkout):
    done = checkout.run("test", "-k", "two words")

    assert done.returncode == 0, done.stderr
    assert done.stdout == "test|-k|two words\n"
    assert checkout.uv_calls == ["venv", "pip"]


def test_it_installs_once(checkout):
    checkout.run("help")
    done = checkout.run("help")

    assert (done.stdout, done.stderr) == ("help\n", "")
    assert checkout.uv_calls == ["venv", "pip"]


def test_it_installs_again_when_the_pins_change(checkout):
    checkout.run("help")
    (checkout.root / "requirements-dev.txt").write_text("one==2\n")
    checkout.run("help")

    assert checkout.uv_calls.count("pip") == 2


def test_it_leaves_no_stamp_when_the_installation_fails(checkout):
    (checkout.programs / "uv").write_text(FAKE_UV.replace("|| exit 0", "|| exit 1"))
    done = checkout.run("help")

    assert done.returncode == 1
    assert "could not be installed" in done.stderr
    assert not (checkout.root / ".venv/pins.stamp").exists()


def test_it_says_so_when_there_is_no_python(checkout):
    for name in ("sh", "dirname", "cksum", "cat", "id", "mkdir"):
        (checkout.programs / name).symlink_to(shutil.which(name))
    done = checkout.run("help", PATH=str(checkout.programs), PYTHON="")

    assert done.returncode == 1
    assert "No Python 3.11, 3.12 or 3.13 found" in done.stderr
