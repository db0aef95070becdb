from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from monitoring.backups import restoring
from monitoring.backups.console import SealingCommand
from monitoring.backups.programs import own_url


class Command(SealingCommand):
    help = (
        "Restore a copy into an empty database, or only rehearse it (--verify). The counts, "
        "counters and last signed numbers are compared, and every device is held back until "
        "manage.py resume_restored has asked KRA. Exit code 1: something differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument(
            "--into", metavar="URL", help="an empty database; 'own': the one of DATABASE_URL"
        )
        where.add_argument(
            "--verify",
            action="store_true",
            help="into a database made for it and dropped again; nothing else is touched",
        )

    def work(self, file: Path, passphrase: str, options: dict[str, Any]) -> None:
        if options["verify"]:
            manifest, differences = restoring.rehearse(file, own_url(), passphrase)
        else:
            url = own_url() if options["into"] == "own" else options["into"]
            manifest, differences = restoring.restore(file, url, passphrase)
        self.say(f"A copy of {manifest.made_at}: {len(manifest.facts)} facts compared.")
        if differences:
            raise CommandError("\n".join(["It differs:", *differences]))
        self.say("All agree.")
        if not options["verify"]:
            self.say("Next: manage.py migrate, then manage.py resume_restored --all")
