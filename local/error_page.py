"""docs/errors.md, from the catalogues: what the API refuses, and what KRA answers.

Usage: python -m local.error_page [--write]   (without it: does the page say what the code says?)

Codes, statuses and English help are those of the code. What the code does not hold, a cause in a
sentence and the Kiswahili, is in error_words.json beside this file.
"""

import importlib
import os
import pkgutil
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import django
import msgspec

from kra import codes
from local.console import say
from local.paths import ROOT

if TYPE_CHECKING:
    from core.errors import DomainError

PAGE = ROOT / "docs/errors.md"
WORDS = Path(__file__).parent / "error_words.json"
APPS = ("core", "companies", "devices", "outbox", "items", "sales", "purchases", "monitoring")
ASIDE = {"tests", "migrations", "management", "telemetry"}

INTRO = """\
<!-- Written by python -m local.error_page --write. Change the code, or local/error_words.json. -->
# Errors: cause and fix

Every refusal of the API has one shape:

```json
{"error": {"code": "not_signed", "message": "The sale is queued. …", "detail": [], "help": "…"}}
```

`code` never changes; go by it, and by the HTTP status. `message` says what happened this time,
`detail` names fields, each with `reason` and `next_step`. `help` ends with the place on this page.

The same request again helps after 429, 5xx and no answer. After other 4xx it does not: nothing was
stored.

Misimbo ya makosa iko hapa chini kwa Kiingereza na Kiswahili: sababu, na cha kufanya.
"""
KRA_INTRO = """\
## What KRA answers

These stand in `trouble.code` of a sale, in `last_error` of other messages, and in `GET
/api/logs/`. They are not refusals of the API: the document is stored, and the service has already
done what can be done without a person. *Then* is what the service does with a sale; *source* says
how sure that is.
"""
SECTIONS = (
    ("KRA's result codes", codes.RESULT_CODES),
    ("No verdict of KRA's: our own words", codes.CONDITIONS),
    ("Refusals that KRA's gateway puts into words only", codes.MESSAGES),
)
VERDICTS = {
    "accepted": "accepted",
    "empty": "nothing there",
    "retry": "sent again by itself",
    "reconcile": "KRA is asked first",
    "fix": "refused: a person corrects",
    "device": "the device stops",
}


class Words(msgspec.Struct, forbid_unknown_fields=True):
    cause: str
    cause_sw: str
    fix_sw: str
    status: int = 0  # of what the framework answers; ours is in the code
    fix: str = ""


def known_words() -> dict[str, Words]:
    return msgspec.json.decode(WORDS.read_bytes(), type=dict[str, Words])


def own_errors() -> dict[str, list[type["DomainError"]]]:
    """Each code with the classes that bear it. Every module is read, so none is forgotten."""
    for module in _modules():
        importlib.import_module(module)
    from core.errors import DomainError

    found: dict[str, list[type[DomainError]]] = defaultdict(list)
    for kind in sorted(set(_subclasses(DomainError)), key=lambda kind: kind.__qualname__):
        if not ASIDE & set(kind.__module__.split(".")):
            found[kind.code].append(kind)
    found[DomainError.code].append(DomainError)
    return dict(found)


def _modules() -> Iterator[str]:
    for app in APPS:
        package = importlib.import_module(app)
        for info in pkgutil.walk_packages(package.__path__, f"{app}."):
            if not ASIDE & set(info.name.split(".")) and not info.name.endswith("verify_export"):
                yield info.name


def _subclasses(kind: type["DomainError"]) -> Iterator[type["DomainError"]]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


def page() -> str:
    own, words = own_errors(), known_words()
    missing = sorted(set(own) - set(words))
    if missing:
        raise SystemExit(f"local/error_words.json has no words for: {', '.join(missing)}")
    parts = [INTRO, "## What the API refuses\n"]
    # Words without a status are of a code that no class bears (any more, or yet).
    codes_here = sorted(code for code in words if code in own or words[code].status)
    parts += [_own_entry(code, own.get(code, []), words[code]) for code in codes_here]
    parts.append(KRA_INTRO)
    for title, rows in SECTIONS:
        parts += [f"### {title}\n", *(_kra_entry(row) for row in rows.values())]
    return "\n".join(parts).rstrip() + "\n"


def _own_entry(code: str, kinds: Sequence[type["DomainError"]], words: Words) -> str:
    statuses = sorted({kind.status for kind in kinds}) or [words.status]
    fixes = [words.fix] if words.fix else _distinct(kind.help for kind in kinds)
    return (
        f"### {code}\n\n"
        f"HTTP {', '.join(map(str, statuses))}. {words.cause} **Do:** {' Or: '.join(fixes)}\n\n"
        f"*Kiswahili:* {words.cause_sw} **Fanya:** {words.fix_sw}\n"
    )


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _kra_entry(row: codes.Row) -> str:
    return (
        f"#### {row.code}\n\n"
        f"{row.label}. {row.cause} **Do:** {row.next}\n\n"
        f"*Kiswahili:* {row.sw}\n\n"
        f"Then: {VERDICTS[row.fiscal.value]}. Source: {row.source}.\n"
    )


def main(argv: Sequence[str]) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "etims_integration.settings")
    django.setup()
    if "--write" in argv:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page():
        return 0
    say("docs/errors.md is not what the code says: python -m local.error_page --write")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
