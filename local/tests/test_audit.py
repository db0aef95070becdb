"""The audit of the pinned packages says what it knows, and that it knows nothing."""

import pytest

from local import audit


@pytest.mark.parametrize(
    ("_case", "code", "out", "err", "expected", "said"),
    [
        ("clean", 0, "", "No known vulnerabilities found", 0, "No known"),
        ("found", 1, "django 5.0 CVE-1", "Found 1 known vulnerability in 1 package", 1, "CVE-1"),
        ("found many", 1, "a b", "Found 2 known vulnerabilities in 1 package", 1, "Next:"),
        ("no network", 1, "", "NameResolutionError: Failed to resolve 'pypi.org'", 0, "not asked"),
        ("broken", 2, "", "usage: pip-audit", 1, "usage"),
        ("unpinned", 1, "", "requirement foo is not pinned", 1, "not pinned"),
    ],
)
def test_it_says_what_it_knows(capsys, _case, code, out, err, expected, said):
    assert audit.verdict(code, out, err) == expected

    assert said in capsys.readouterr().out


def test_without_a_network_it_claims_nothing(monkeypatch, capsys):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert audit.main() == 0

    text = capsys.readouterr().out
    assert "not asked: no network" in text
    assert "No known" not in text
