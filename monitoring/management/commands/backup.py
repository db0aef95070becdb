from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from monitoring import heartbeats
from monitoring.backups.console import SealingCommand
from monitoring.backups.dumping import back_up
from monitoring.backups.programs import own_url
from monitoring.models import Heartbeat


class Command(SealingCommand):
    help = (
        "Write a copy of the database, sealed with a passphrase (AES-256-GCM), with the facts that "
        "a restored copy must agree on. The service goes on meanwhile."
    )

    def work(self, file: Path, passphrase: str, options: dict[str, Any]) -> None:
        if file.exists():
            raise CommandError(f"{file} exists already.\nNext: give another name.")
        manifest = back_up(own_url(), file, passphrase)
        heartbeats.note(Heartbeat.Name.BACKUP)
        self.say(f"{file}: {file.stat().st_size} bytes, {len(manifest.facts)} facts.")
        self.say(f"Next: take it to another place; manage.py restore --verify {file}")
