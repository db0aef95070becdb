"""Exit code 0 when the server in this container answers well.

Usage: healthcheck.py [port [path]]
"""

import os
import sys
import urllib.request
from collections.abc import Sequence


def host_name() -> str:
    """A name the server accepts: it refuses requests to names it was not given."""
    names = [name.strip().lstrip(".") for name in os.environ.get("ALLOWED_HOSTS", "").split(",")]
    return next((name for name in names if name and name != "*"), "localhost")


def is_healthy(port: str = "8000", path: str = "/health/") -> bool:
    # Loopback: a proxy from the environment would be asked in vain.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"Host": host_name()}
    )
    try:
        with opener.open(request, timeout=8) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def main(argv: Sequence[str]) -> int:
    return 0 if is_healthy(*argv) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
