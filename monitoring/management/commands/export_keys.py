from pathlib import Path
from typing import Any

from monitoring.backups.console import SealingCommand, write_private
from monitoring.backups.secrets import export_secrets


class Command(SealingCommand):
    help = (
        "Write all secrets (KRA's device keys, our signing keys, gateway and webhook secrets) "
        "to a file sealed with a passphrase: the way back when ENCRYPTION_KEYS is lost."
    )

    def work(self, file: Path, passphrase: str, options: dict[str, Any]) -> None:
        sealed, count = export_secrets(passphrase)
        write_private(file, sealed)
        self.say(f"{file}: {count} secrets.")
        self.say("Next: keep it apart from the backups and from the passphrase.")
