"""One message for all that a channel has to be told at once: never a flood."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings

from kra.times import NAIROBI

CLOCK = "%d/%m/%Y %H:%M"
SHOWN = 20
NEXT_STEPS = {
    "nothing_accepted": "Look at /health/ and at the calls (GET /api/logs/): is it KRA or we?",
    "oldest_pending": "Look at the lane: manage.py lane DEVICE says what holds it up.",
    "unknown": "Wait for KRA's look-up, or ask now: manage.py retry REFERENCE.",
    "conflict": "Compare with KRA's portal; then resync the counter or adopt KRA's record.",
    "error_rate": "Read the codes in GET /api/logs/: the cause and the step stand beside them.",
    "breaker_open": "Nothing to do but tell the shops: it goes on by itself when KRA answers.",
    "silent": "Start what is named: beat; or the workers, and look at Redis.",
    "device_refused": "Compare PIN, branch and serial with KRA's portal; then resume the device.",
    "deadline": "Find what holds the sale up before its time is over: manage.py lane DEVICE.",
    "token_expiry": "Make a new token, give it to the till, then revoke this one.",
    "journal_late": "Look for “journal stopped” in the worker's log; manage.py verify_journal.",
    "webhook_disabled": "Mend the receiver, then switch the webhook on: PATCH /api/webhooks/{id}/.",
    "backup_old": "Look at the timer of the backup, then: manage.py backup FILE.",
    "disk": "Make room, or give the disk more.",
    "database_slow": "Look at PostgreSQL: disk, locks, long questions.",
    "database_down": "Start PostgreSQL. Nothing can be sold meanwhile.",
    "certificate": "Renew it if it is ours; if it is KRA's, tell KRA.",
    "test": "Nothing: it works.",
}
WORDS = {"opened": "", "worse": "worse: ", "reminder": "still: ", "recovered": "over: "}


class Notice(NamedTuple):
    event: str
    rule: str
    severity: str
    title: str
    since: datetime
    company: str = ""
    device: str = ""
    alert: int | None = None

    @property
    def next_step(self) -> str:
        return NEXT_STEPS.get(self.rule, "")

    @property
    def runbook(self) -> str:
        return f"{settings.ALERT_RUNBOOK_URL}#{self.rule.replace('_', '-')}"


def subject_of(notices: Sequence[Notice]) -> str:
    first = notices[0]
    more = f" (and {len(notices) - 1} more)" if len(notices) > 1 else ""
    said = f"[eTIMS] {_word(first)}{first.title}"
    # A header has one line.
    return " ".join(f"{said[:150]}{more}".split())


def _word(notice: Notice) -> str:
    is_loud = notice.severity == "critical" and notice.event != "recovered"
    return WORDS[notice.event] + ("CRITICAL: " if is_loud else "")


def text_of(notices: Sequence[Notice]) -> str:
    parts = [_paragraph(notice) for notice in notices[:SHOWN]]
    if len(notices) > SHOWN:
        parts.append(f"and {len(notices) - SHOWN} more: {settings.PUBLIC_URL}/dashboard/")
    return "\n\n".join(parts)


def _paragraph(notice: Notice) -> str:
    lines = [
        f"{_word(notice)}{notice.title}",
        f"Since {notice.since.astimezone(NAIROBI):{CLOCK}} (Nairobi).",
    ]
    if notice.event != "recovered":
        lines += [f"Next: {notice.next_step}", f"More: {notice.runbook}"]
    return "\n".join(lines)


def data_of(notices: Sequence[Notice], now: datetime) -> dict[str, Any]:
    return {
        "type": "alerts",
        "timestamp": now.isoformat(),
        "installation": settings.PUBLIC_URL,
        "alerts": [
            notice._asdict()
            | {"since": notice.since.isoformat()}
            | {"next_step": notice.next_step, "runbook": notice.runbook}
            for notice in notices
        ],
    }
