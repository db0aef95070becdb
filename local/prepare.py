"""Inside Django, before the demo's story: tables, an administrator, the operator's token."""

import io
import os
from pathlib import Path

import django
from django.core.management import call_command

from local.facts import write_private


def main() -> None:
    django.setup()
    call_command("migrate", interactive=False, verbosity=1)
    set_administrator(os.environ["ADMIN_PASSWORD"])
    keep_operator_token(Path(os.environ["OPERATOR_TOKEN_FILE"]))


def set_administrator(password: str) -> None:
    """Each time: the file with the password may be newer than the database."""
    from django.contrib.auth.models import User  # models need the set-up above

    user, _ = User.objects.get_or_create(username="admin")
    user.is_staff = user.is_superuser = True
    user.set_password(password)
    user.save()


def keep_operator_token(file: Path) -> None:
    """Make a token unless the kept one still opens this database."""
    from companies.models import ApiToken

    kept = file.read_text(encoding="utf-8").strip() if file.exists() else ""
    if kept and ApiToken.objects.usable().filter(hash=ApiToken.hash_of(kept)).exists():
        return
    secret = io.StringIO()
    call_command("create_platform_token", name="demo", stdout=secret)
    write_private(file, secret.getvalue())


if __name__ == "__main__":
    main()
