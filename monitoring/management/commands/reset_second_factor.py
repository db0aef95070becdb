from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from django_otp import devices_for_user

from monitoring.acts.audit import Actor, Subject, record
from monitoring.console import ServiceCommand
from monitoring.models import AuditEvent


class Command(ServiceCommand):
    help = (
        "Let somebody who lost the telephone and the backup codes enrol again: the second factor "
        "is removed and all sessions end. Another superuser answers for it; a superuser answers "
        "for himself only when there is no other."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="who lost it")
        parser.add_argument("--by", required=True, metavar="USERNAME", help="a superuser")
        parser.add_argument("--reason", required=True, help="how you know that it is he or she")

    def act(self, options: dict[str, Any]) -> None:
        person, helper = _user(options["username"]), _user(options["by"])
        if not helper.is_superuser:
            raise CommandError(f"{helper} is no superuser.\nNext: name one with --by.")
        others = get_user_model().objects.filter(is_superuser=True, is_active=True)
        if person == helper and others.exclude(pk=person.pk).exists():
            raise CommandError("Another superuser must answer for it.\nNext: name one with --by.")
        if len(options["reason"].strip()) < 3:
            raise CommandError("The reason is missing.\nNext: say how you know who asks.")
        with transaction.atomic():
            count = _forget(person)
            record(
                "reset_second_factor",
                AuditEvent.Stage.DONE,
                Subject.of(person, None),
                Actor(AuditEvent.Actor.COMMAND, f"{helper} at the console", helper.pk),
                reason=options["reason"],
            )
        self.say(f"{count} second factors of {person} are removed, and all sessions ended.")
        self.say("Next: he or she signs in with the password and enrols again, at once.")


def _user(name: str) -> Any:
    found = get_user_model().objects.filter(username=name, is_active=True).first()
    if found is None:
        raise CommandError(f"There is no active user {name!r}.\nNext: check the spelling.")
    return found


def _forget(person: Any) -> int:
    devices = list(devices_for_user(person, confirmed=None))
    for device in devices:
        device.delete()
    for session in Session.objects.iterator():
        if session.get_decoded().get("_auth_user_id") == str(person.pk):
            session.delete()
    return len(devices)
