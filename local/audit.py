"""./run check audit: are any of our pinned packages known to be vulnerable?

The question goes to the package index's list of advisories. Without a network it is not asked, and
the step says so: it passes, because a machine without a network cannot do better, but it does not
claim that the packages are sound.
"""

import subprocess
import sys
from collections.abc import Sequence

from local.console import say
from local.paths import ROOT

PINNED = ("requirements.txt", "requirements-simulator.txt", "requirements-telemetry.txt")
NO_NETWORK = (
    "ConnectionError",
    "Connection refused",
    "ConnectTimeout",
    "ReadTimeout",
    "Name or service not known",
    "Temporary failure in name resolution",
    "Failed to resolve",
    "NameResolutionError",
    "NewConnectionError",
    "Network is unreachable",
    "Max retries exceeded",
    "ProxyError",
    "Tunnel connection failed",
    "ServiceError",
)
TIMEOUT_S = 180


def main(files: Sequence[str] = PINNED) -> int:
    """0: nothing known, or not asked. 1: something is known, or the audit itself broke."""
    given = [part for name in files if (ROOT / name).exists() for part in ("-r", name)]
    # The pins carry hashes and are complete: nothing is resolved, downloaded or installed.
    argv = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", *given]
    try:
        done = subprocess.run(
            argv, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return not_asked("no answer in time")
    return verdict(done.returncode, done.stdout, done.stderr)


def verdict(code: int, out: str, err: str) -> int:
    """What pip-audit's end means: found, nothing known, or not asked."""
    if code == 0:
        say(err.strip() or "No known vulnerabilities found.")
        return 0
    if "known vulnerabilit" in err:
        say(out.strip())
        say(err.strip())
        say("Next: read the advisory, raise the pin and compile the requirements again.")
        return 1
    reason = next((word for word in NO_NETWORK if word in err or word in out), "")
    if reason:
        return not_asked(reason)
    say(out.strip())
    say(err.strip())
    return 1


def not_asked(reason: str) -> int:
    say(f"audit: not asked: no network ({reason}). Nothing is known about the packages.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
