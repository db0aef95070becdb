"""PgBouncer for tests: transaction mode, on a loopback port of its own."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection

from local.processes import plain_account

from .simulator import free_port
from .stack import database_url, wait_until

CONFIGURATION = """
[databases]
* = host={host} port={server_port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
server_round_robin = 1
"""
# Only from 1.21 on does it follow prepared statements from session to session.
FOLLOWS = "max_prepared_statements = 200\n"


def program() -> str:
    found = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    return found or ""


def version() -> tuple[int, int]:
    said = subprocess.run([program(), "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+)\.(\d+)", said.stdout)
    assert found, said.stdout
    return int(found[1]), int(found[2])


@dataclass(frozen=True)
class Pooler:
    port: int
    size: int

    @property
    def url(self) -> str:
        return database_url("127.0.0.1", self.port)

    def connect(self, name: str = "") -> "psycopg.Connection[Any]":
        database = name or connection.settings_dict["NAME"]
        return psycopg.connect(
            host="127.0.0.1", port=self.port, dbname=database, user="etims", autocommit=True
        )

    def show(self, what: str) -> list[dict[str, Any]]:
        with self.connect("pgbouncer") as console:
            cursor = psycopg.ClientCursor(console)
            cursor.execute(f"SHOW {what}")
            names = [column.name for column in cursor.description or []]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def sessions(self) -> int:
        mine = connection.settings_dict["NAME"]
        return sum(1 for row in self.show("SERVERS") if row["database"] == mine)

    def clients(self) -> int:
        mine = connection.settings_dict["NAME"]
        return sum(1 for row in self.show("CLIENTS") if row["database"] == mine)


@contextlib.contextmanager
def pooling(*, size: int) -> Iterator[Pooler]:
    c = connection.settings_dict
    pooler = Pooler(free_port(), size)
    text = CONFIGURATION.format(
        host=c["HOST"], server_port=c["PORT"], user=c["USER"], password=c["PASSWORD"],
        port=pooler.port, size=size,
    )  # fmt: skip
    account = plain_account()  # it refuses root
    with tempfile.TemporaryDirectory(prefix="etims-pooler-") as folder:
        file, log = Path(folder, "pgbouncer.ini"), Path(folder, "log")
        file.write_text(text + (FOLLOWS if version() >= (1, 21) else ""))
        if account:
            os.chown(folder, account.uid, account.gid)
            os.chown(file, account.uid, account.gid)
        with log.open("wb") as said:
            process = subprocess.Popen(
                [program(), str(file)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd="/",
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        try:
            wait_until(lambda: _is_up(pooler), 10, log.read_text)
            yield pooler
        finally:
            process.kill()
            process.wait()


def _is_up(pooler: Pooler) -> bool:
    try:
        return bool(pooler.show("VERSION"))
    except psycopg.Error:
        return False
