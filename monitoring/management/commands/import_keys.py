from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from monitoring.backups.console import SealingCommand
from monitoring.backups.secrets import import_secrets


class Command(SealingCommand):
    help = (
        "Put back the secrets that no key in ENCRYPTION_KEYS opens any more, from a file of "
        "export_keys. What can be read stays as it is."
    )

    def work(self, file: Path, passphrase: str, options: dict[str, Any]) -> None:
        counts = import_secrets(file.read_bytes(), passphrase)
        self.say(", ".join(f"{count} {what}" for what, count in counts.items()))
        if counts["not in the file"]:
            raise CommandError(
                f"{counts['not in the file']} secrets are lost: they are newer than the file.\n"
                "Next: docs/backup.md, Keys."
            )
