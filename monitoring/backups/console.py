"""What the commands about copies and keys share."""

import os
from pathlib import Path
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from core.sealing import SHORTEST_PASSPHRASE, NotOpened
from monitoring.console import ServiceCommand


class SealingCommand(ServiceCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument(
            "--passphrase-file",
            type=Path,
            metavar="PATH",
            help="its first line; default: the setting BACKUP_PASSPHRASE",
        )

    def act(self, options: dict[str, Any]) -> None:
        try:
            self.work(options["file"], passphrase_of(options["passphrase_file"]), options)
        except (NotOpened, OSError) as error:
            raise CommandError(str(error)) from error
        except InvalidToken as error:
            text = "A stored secret fits no key in ENCRYPTION_KEYS.\nNext: docs/backup.md, Keys."
            raise CommandError(text) from error

    def work(self, file: Path, passphrase: str, options: dict[str, Any]) -> None:
        raise NotImplementedError


def passphrase_of(path: Path | None) -> str:
    given = path.read_text().splitlines()[:1] if path else [settings.BACKUP_PASSPHRASE]
    passphrase = given[0].strip() if given else ""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise CommandError(
            f"The passphrase needs at least {SHORTEST_PASSPHRASE} characters.\n"
            "Next: set BACKUP_PASSPHRASE, or give --passphrase-file."
        )
    return passphrase


def write_private(file: Path, data: bytes) -> None:
    """A new file for the owner's eyes. Raises FileExistsError."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as target:
        target.write(data)
        target.flush()
        os.fsync(target.fileno())
