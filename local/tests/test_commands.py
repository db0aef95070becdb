"""The commands behind ./run, without what they start."""

import json
import socket
from pathlib import Path

import pytest

from local import __main__ as entry
from local import check, demo, lock, pins, reset, sizes
from local.console import Problem, report

# --- ./run ---


def test_it_explains_itself(capsys):
    assert entry.main([]) == 0
    said = capsys.readouterr().out
    assert all(f"./run {name} " in said for name in entry.COMMANDS)


def test_it_refuses_an_unknown_command(capsys):
    assert entry.main(["dance"]) == 2
    assert capsys.readouterr().err.startswith("There is no ./run dance.\n")


def test_it_shows_the_end_of_the_log_with_a_problem(tmp_path, capsys):
    log = tmp_path / "web.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))

    code = report(Problem("web ended at once.", log=log))

    shown = capsys.readouterr().err
    assert code == 1
    assert "line 99\n" in shown
    assert "line 69\n" not in shown
    assert shown.endswith("web ended at once.\n")


# --- demo ---


def test_it_refuses_a_second_demo_and_names_the_first(tmp_path):
    file = tmp_path / "demo.lock"

    with lock.held(file) as first:
        first.tell(url="http://127.0.0.1:8000")
        with (
            pytest.raises(Problem, match="already running here: http://127.0.0.1:8000"),
            lock.held(file),
        ):
            pytest.fail("two demos at once")
    with lock.held(file):
        assert json.loads(file.read_text()) == {}


def test_it_takes_another_port_unless_one_was_asked_for(monkeypatch, capsys):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        monkeypatch.setattr(demo, "WEB_PORT", port)

        assert demo.choose_port(None) != port
        assert f"port {port} is busy" in capsys.readouterr().out
        with pytest.raises(Problem, match=f"Port {port} is busy") as caught:
            demo.choose_port(port)
    assert caught.value.code == 2


# --- reset ---


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("state_folder", "cluster_home"):
        monkeypatch.setattr(reset, name, lambda: tmp_path)
    monkeypatch.setattr(reset, "ROOT", tmp_path)
    monkeypatch.setattr(lock, "state_folder", lambda: tmp_path)
    (tmp_path / "postgres-18").mkdir()
    (tmp_path / "secrets.env").touch()
    return tmp_path


def test_it_wipes_what_is_kept(kept):
    assert reset.main([]) == 0
    assert [entry.name for entry in kept.iterdir()] == ["demo.lock"]


def test_it_wipes_nothing_under_a_running_demo(kept):
    with lock.held(kept / lock.LOCK_FILE), pytest.raises(Problem, match="already running"):
        reset.main([])

    assert (kept / "secrets.env").exists()


# --- sizes ---


def function(name: str, lines: int) -> str:
    return f"def {name}():\n" + "    x = 1\n" * (lines - 1)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.py", function("f", 50), []),
        ("a.py", function("f", 51), ["a.py:1: f has 51 lines, at most 50"]),
        ("a.py", "x = 1\n" * 401, ["a.py: 401 lines, at most 400"]),
        ("settings.py", "x = 1\n" * 500, []),
        ("tests/test_a.py", "x = 1\n" * 600, []),
        (
            "tests/test_a.py",
            "\n" + function("test_f", 41),
            ["tests/test_a.py:2: test_f has 41 lines, at most 40"],
        ),
        ("tests/test_a.py", function("helper", 50), []),
        ("app/migrations/0001.py", "x = 1\n" * 999, []),
        (".venv/a.py", "x = 1\n" * 999, []),
    ],
)
def test_it_finds_what_is_too_large(tmp_path, name, text, expected):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

    assert list(sizes.offenders(tmp_path)) == expected
    assert sizes.main([str(tmp_path)]) == bool(expected)


# --- check ---


def test_it_runs_the_steps_asked_for():
    known = check.steps()

    assert [step.name for step in check.choose(known, ["types", "lint"])] == ["lint", "types"]
    assert [step.name for step in check.choose(known, [])][-1] == "tests"
    assert "tests" not in [step.name for step in check.choose(known, ["--skip", "tests"])]
    with pytest.raises(Problem, match="There is no step lnt"):
        check.choose(known, ["lnt"])


def test_it_runs_every_step_and_names_the_failed_ones(capfd):
    chosen = [
        check.Step("one", ["sh", "-c", "exit 3"]),
        check.Step("two", ["sh", "-c", 'echo "$WORD"'], extra={"WORD": "hello"}),
    ]

    assert check.run(chosen, {}) == 1
    said = capfd.readouterr().out
    assert "=== one: FAILED (code 3)" in said
    assert "hello\n=== two: passed" in said
    assert said.endswith("check: FAILED: one\n")


# --- pins ---


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "requirements.txt").write_text("a==1\nb==1\n")
    monkeypatch.setattr(pins, "ROOT", tmp_path)
    monkeypatch.setattr(pins, "SOURCES", {"requirements.txt": ("pyproject.toml",)})
    return tmp_path


def fake_uv(folder: Path, body: str) -> str:
    program = folder / "uv"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("_case", "body", "code", "said"),
    [
        ("same", "true", 0, "is up to date"),
        ("offline", "echo 'error sending request for url' >&2; exit 2", 0, "SKIPPED: offline"),
        ("no answer", "echo 'no solution found' >&2; exit 1", 1, "no solution found"),
    ],
)
def test_it_compares_the_pins(pinned, monkeypatch, capsys, _case, body, code, said):
    monkeypatch.setattr(pins, "find_uv", lambda: fake_uv(pinned, body))

    assert pins.main([]) == code
    shown = capsys.readouterr()
    assert said in shown.out + shown.err


def test_it_shows_the_lines_that_drifted(pinned, monkeypatch, capsys):
    def compile_to(output: Path, source: object, uv: str) -> None:
        output.write_text(output.read_text().replace("b==1", "b==2"))

    monkeypatch.setattr(pins, "find_uv", lambda: "uv")
    monkeypatch.setattr(pins, "compile_to", compile_to)

    assert pins.main([]) == 1
    assert "-b==1" in capsys.readouterr().out


def test_it_writes_them_anew_on_request(pinned, monkeypatch):
    monkeypatch.setattr(
        pins, "find_uv", lambda: fake_uv(pinned, 'for out; do :; done; echo c==1 >"$out"')
    )

    assert pins.main(["--write"]) == 0
    assert (pinned / "requirements.txt").read_text() == "c==1\n"


def test_it_skips_the_comparison_without_uv(pinned, monkeypatch, capsys):
    monkeypatch.setattr(pins, "find_uv", lambda: None)

    assert pins.main([]) == 0
    assert capsys.readouterr().out.startswith("SKIPPED")
