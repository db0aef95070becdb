"""Where people are told: e-mail, Slack's kind of webhook, any webhook. All from the environment, so
that it works without the database.
"""

import json
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, time
from smtplib import SMTPException

import urllib3
from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from kra.times import NAIROBI
from monitoring.models import Severity

from .wording import Notice, data_of, subject_of, text_of

TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)


class NotTold(Exception):
    """A channel did not take it. It is tried again at the next look."""


def configured() -> list[str]:
    ready = {
        "email": settings.ALERT_EMAIL_TO,
        "slack": settings.ALERT_SLACK_URL,
        "webhook": settings.ALERT_WEBHOOK_URL,
    }
    return [name for name, target in ready.items() if target]


def tell(channel: str, notices: Sequence[Notice], *, key: str = "") -> None:
    """Raises NotTold. `key` names the message, so that a receiver knows one that comes twice."""
    try:
        SENDERS[channel](notices, key or uuid.uuid4().hex)
    except (OSError, SMTPException, urllib3.exceptions.HTTPError, ValueError) as error:
        # The address of a Slack hook is its key: it does not belong into a row or a log line.
        raise NotTold(f"{type(error).__name__}: {_without_addresses(str(error))}"[:300]) from error


def _without_addresses(text: str) -> str:
    for url in (settings.ALERT_SLACK_URL, settings.ALERT_WEBHOOK_URL):
        parsed = urllib3.util.parse_url(url) if url else None
        for secret in (url, parsed.request_uri if parsed else ""):
            if secret and secret != "/":
                text = text.replace(secret, "***")
    return text


def _email(notices: Sequence[Notice], key: str) -> None:
    EmailMessage(
        subject_of(notices),
        text_of(notices),
        settings.ALERT_EMAIL_FROM,
        settings.ALERT_EMAIL_TO,
        headers={"X-Alert-ID": key, "Auto-Submitted": "auto-generated"},
    ).send()


def _slack(notices: Sequence[Notice], key: str) -> None:
    # Their markup: a name that holds <!channel> must wake nobody.
    text = text_of(notices).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    _post(settings.ALERT_SLACK_URL, json.dumps({"text": text}), {})


def _webhook(notices: Sequence[Notice], key: str) -> None:
    now = timezone.now()
    body = json.dumps(data_of(notices, now))
    headers = {"webhook-id": key, "webhook-timestamp": str(int(now.timestamp()))}
    if settings.ALERT_WEBHOOK_SECRET:
        signed = Webhook(settings.ALERT_WEBHOOK_SECRET).sign(key, now, body)
        headers["webhook-signature"] = signed
    _post(settings.ALERT_WEBHOOK_URL, body, headers)


def _post(url: str, body: str, headers: dict[str, str]) -> None:
    with urllib3.PoolManager(retries=False, timeout=TIMEOUT) as pool:
        more = {"Content-Type": "application/json"} | headers
        answer = pool.request("POST", url, body=body.encode(), headers=more, redirect=False)
    if not 200 <= answer.status < 300:
        raise ValueError(f"It answered {answer.status}.")


SENDERS: dict[str, Callable[[Sequence[Notice], str], None]] = {
    "email": _email,
    "slack": _slack,
    "webhook": _webhook,
}


def is_quiet(channel: str, severity: str, now: datetime) -> bool:
    """Whether people on this channel sleep, and this may wait for the morning."""
    hours = settings.ALERT_QUIET_HOURS.get(channel, "")
    if not hours or (severity == Severity.CRITICAL and settings.ALERT_QUIET_PASSES_CRITICAL):
        return False
    start, end = (time.fromisoformat(part.strip()) for part in hours.split("-"))
    clock = now.astimezone(NAIROBI).time()
    return start <= clock < end if start <= end else clock >= start or clock < end


def test() -> dict[str, str]:
    """Tell every channel that this is a test: "" for each that took it, or why it did not."""
    notice = Notice("opened", "test", "warning", "This is a test of the channel.", timezone.now())
    results = {}
    for channel in configured():
        try:
            tell(channel, [notice])
            results[channel] = ""
        except NotTold as error:
            results[channel] = str(error)
    return results
