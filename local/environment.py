"""What the application is told: its whole configuration is environment."""

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from local.paths import state_folder

SECRETS_FILE = "secrets.env"


def new_secrets() -> dict[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        # A Fernet key is 32 random bytes in URL-safe base64.
        "ENCRYPTION_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "ADMIN_PASSWORD": secrets.token_urlsafe(12),
    }


def kept_secrets() -> dict[str, str]:
    """The demo's secrets, made once. What is missing in an older file is added."""
    file = state_folder() / SECRETS_FILE
    known = read_env_file(file)
    complete = new_secrets() | known
    if complete != known:
        write_env_file(file, complete)
    return complete


def read_env_file(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    pairs = (line.partition("=") for line in file.read_text().splitlines() if "=" in line)
    return {name.removeprefix("export "): value for name, _, value in pairs}


def write_env_file(file: Path, values: Mapping[str, str]) -> None:
    """Write a file for a shell's `.` that only its owner may read, whole or not at all."""
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text("".join(f"export {name}={value}\n" for name, value in values.items()))
    draft.replace(file)


def application_environment(
    *, servers: Mapping[str, str], url: str, simulator_url: str, keys: Mapping[str, str]
) -> dict[str, str]:
    """Our own environment and all that the application needs, nothing left to a default."""
    return {
        **os.environ,
        **servers,
        "SECRET_KEY": keys["SECRET_KEY"],
        "ENCRYPTION_KEYS": keys["ENCRYPTION_KEYS"],
        "DEBUG": "false",
        "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
        "PUBLIC_URL": url,
        "KRA_SIMULATOR_URL": simulator_url,
        "DJANGO_SETTINGS_MODULE": "etims_integration.settings",
        # Whoever tries it out has no second factor yet.
        "ADMIN_TWO_FACTOR": "false",
        "PYTHONUNBUFFERED": "1",
    }


def scratch_environment(servers: Mapping[str, str]) -> dict[str, str]:
    """For tests and checks: fresh secrets, and addresses that nobody answers at."""
    return application_environment(
        servers=servers,
        url="http://127.0.0.1:8000",
        simulator_url="http://127.0.0.1:9800",
        keys=new_secrets(),
    )
