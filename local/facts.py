"""What a demo leaves to be known: for the next demo, for a shell, for whoever looks around."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.environment import write_env_file
from local.paths import STATE

FACTS_FILE = "demo.json"
SHELL_FILE = "demo.env"
OPERATOR_FILE = "operator.token"
RECEIPT_FILE = "receipt.pdf"


def read() -> dict[str, Any]:
    try:
        found = json.loads((STATE / FACTS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(known: Mapping[str, Any]) -> None:
    write_private(STATE / FACTS_FILE, json.dumps(known, indent=2) + "\n")


def write_private(file: Path, text: str) -> None:
    """Whole or not at all, and for its owner only: it holds tokens."""
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "w", encoding="utf-8") as opened:
        opened.write(text)
    draft.replace(file)


def write_shell_file(url: str, known: Mapping[str, Any]) -> Path:
    """Lines for `. .local/demo.env`, so that the next curl needs no copying."""
    file = STATE / SHELL_FILE
    values = {"URL": url, "TOKEN": known["token"], "DEVICE": known["device"]}
    write_env_file(file, {f"ETIMS_{name}": str(value) for name, value in values.items()})
    return file


def write_receipt(pdf: bytes) -> Path:
    """A receipt to look at."""
    file = STATE / RECEIPT_FILE
    draft = file.with_name(f"{file.name}.new")
    draft.write_bytes(pdf)
    draft.replace(file)
    return file


def operator_token() -> str:
    file = STATE / OPERATOR_FILE
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""
