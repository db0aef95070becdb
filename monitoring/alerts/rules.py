"""What rows say is wrong. Each rule returns all it finds, the worst first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Min, OuterRef, Q, Subquery

from companies.models import ApiToken
from devices.models import Call, Device
from monitoring.lanes import LaneState, age, lane_states
from monitoring.models import Heartbeat, Severity
from outbox.models import OPEN, Breaker, Status, Stream, Transmission

from . import upkeep
from .findings import Finding, Findings, of_lane

UNANSWERED = [Call.Outcome.UNKNOWN.value, Call.Outcome.UNREADABLE.value, ""]
GOOD = [Call.Outcome.ACCEPTED.value, Call.Outcome.EMPTY.value, ""]


@dataclass(frozen=True, slots=True)
class Scene:
    now: datetime
    lanes: Sequence[LaneState]
    silent: frozenset[str]

    def lane(self, pk: int) -> LaneState:
        return next(lane for lane in self.lanes if lane.lane == pk)


def look(now: datetime) -> Findings:
    silent = Breaker.objects.filter(is_open=True).values_list("host", flat=True)
    scene = Scene(now, lane_states(now=now), frozenset(silent))
    findings = Findings()
    for name, rule in RULES.items():
        findings.add(name, rule(scene))
    return findings


def minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def nothing_accepted(scene: Scene) -> list[Finding]:
    """Of a whole host: sales came, so long passed, and not one was accepted."""
    patience = settings.ALERT_NOTHING_ACCEPTED_MINUTES * 60
    selling = [x for x in scene.lanes if x.is_fiscal and x.device_state == Device.State.ACTIVE]
    found = []
    for host in sorted({lane.host for lane in selling}):
        lanes = [lane for lane in selling if lane.host == host]
        waiting = [lane.oldest for lane in lanes if lane.oldest is not None]
        accepted = [lane.last_accepted for lane in lanes if lane.last_accepted is not None]
        if not waiting:
            continue
        # Nothing is missing before the first sale came.
        since = max([min(waiting), *accepted])
        if age(since, scene.now) < patience:
            continue
        said = f"KRA ({host}) has accepted no sale for {minutes(age(since, scene.now))}"
        title = f"{said}; {sum(lane.waiting for lane in lanes)} wait on {len(waiting)} devices."
        found.append(Finding("nothing_accepted", host, title, since, Severity.CRITICAL))
    return found


def oldest_pending(scene: Scene) -> list[Finding]:
    """Lanes whose host is silent, or whose device may not send, are told of by other rules."""
    patience = settings.ALERT_OLDEST_DUE_MINUTES * 60
    late = [
        lane
        for lane in scene.lanes
        if age(lane.due, scene.now) > patience
        and lane.host not in scene.silent
        and lane.device_state == Device.State.ACTIVE
        and lane.status not in (Status.CONFLICT, Status.UNKNOWN)
    ]
    late.sort(key=lambda lane: age(lane.due, scene.now), reverse=True)
    return [
        of_lane(
            "oldest_pending",
            lane,
            f"a message of the lane {lane.stream} has been due for "
            f"{minutes(age(lane.due, scene.now))}; {lane.waiting} wait.",
            lane.due or scene.now,
        )
        for lane in late
    ]


def held(scene: Scene, status: str, since: datetime | None = None) -> list[tuple[LaneState, str]]:
    lanes = {lane.lane: lane for lane in scene.lanes if lane.status == status}
    rows = Transmission.objects.filter(lane_id__in=list(lanes), status=status).order_by("id")
    if since is not None:
        tried = Call.objects.filter(transmission=OuterRef("pk"), outcome__in=UNANSWERED)
        first = tried.order_by("id").values("started_at")[:1]
        rows = rows.annotate(tried_at=Subquery(first)).filter(
            Q(tried_at__lte=since) | Q(tried_at=None, claimed_at__lte=since)
        )
    return [(lanes[pk], reference) for pk, reference in rows.values_list("lane_id", "reference")]


def unknown(scene: Scene) -> list[Finding]:
    since = scene.now - timedelta(minutes=settings.ALERT_UNKNOWN_MINUTES)
    return [
        of_lane(
            "unknown",
            lane,
            f"KRA has not said what became of {reference}; {lane.waiting - 1} wait behind it.",
            lane.oldest or scene.now,
        )
        for lane, reference in held(scene, Status.UNKNOWN, since)
    ]


def conflict(scene: Scene) -> list[Finding]:
    return [
        of_lane(
            "conflict",
            lane,
            f"{reference} is in conflict with KRA's books; {lane.waiting - 1} wait behind it.",
            lane.oldest or scene.now,
            severity=Severity.CRITICAL,
        )
        for lane, reference in held(scene, Status.CONFLICT)
    ]


def error_rate(scene: Scene) -> list[Finding]:
    """Per host, of calls that have an answer or will never have one."""
    since = scene.now - timedelta(minutes=settings.ALERT_ERROR_WINDOW_MINUTES)
    hosts = ("device__company__environment", "device__company__profile")
    rows = (
        Call.objects.filter(started_at__gte=since, started_at__lte=scene.now)
        .order_by()
        .values_list(*hosts)
        .annotate(all=Count("*"), good=Count("pk", filter=Q(outcome__in=GOOD)))
    )
    found = []
    for environment, profile, all_calls, good in rows:
        percent = 100 * (all_calls - good) / all_calls
        if all_calls < settings.ALERT_ERROR_CALLS or percent < settings.ALERT_ERROR_PERCENT:
            continue
        host = f"{environment}/{profile}"
        title = f"{percent:.0f} % of {all_calls} calls to KRA ({host}) failed or were refused."
        found.append(Finding("error_rate", host, title, since))
    return found


def breaker_open(scene: Scene) -> list[Finding]:
    since = scene.now - timedelta(minutes=settings.ALERT_BREAKER_MINUTES)
    return [
        Finding(
            "breaker_open",
            row.host,
            f"KRA ({row.host}) does not answer; sales are accepted and wait.",
            row.opened_at or scene.now,
            Severity.CRITICAL,
        )
        for row in Breaker.objects.filter(is_open=True, opened_at__lte=since).order_by("host")
    ]


def silent(scene: Scene) -> list[Finding]:
    limit = scene.now - timedelta(seconds=settings.ALERT_SILENT_SECONDS)
    beats = dict(Heartbeat.objects.values_list("name", "at"))
    found: list[Finding] = []
    for name in (Heartbeat.Name.BEAT, Heartbeat.Name.WORKER):
        # Workers prove themselves by what beat schedules: without it, nothing is known of them.
        if found:
            break
        at = beats.get(name)
        # Never heard of: there is nothing to be missed before somebody sells.
        if at is None and not any(lane.waiting for lane in scene.lanes):
            continue
        if at is None or at < limit:
            heard = f"was last heard of {minutes(age(at, scene.now))} ago" if at else "never ran"
            title = f"{name.label} {heard}: repeats after failures do not go out."
            found.append(Finding("silent", name.value, title, at or scene.now, Severity.CRITICAL))
    return found


def device_refused(scene: Scene) -> list[Finding]:
    refused = Device.objects.filter(state=Device.State.REFUSED)
    rows = refused.select_related("company").order_by("pk")
    return [
        Finding(
            "device_refused",
            f"device:{row.pk}",
            f"Company {row.company.pin}: KRA refuses device {row.serial}; its sales wait."[:300],
            scene.now,
            Severity.CRITICAL,
            company=row.company_id,
            device=row.pk,
        )
        for row in rows.only("serial", "company__pin", "company_id")
    ]


def deadline(scene: Scene) -> list[Finding]:
    """The sale of each lane that is nearest to its deadline, or furthest beyond."""
    lanes = {lane.lane: lane for lane in scene.lanes if lane.stream == Stream.FISCAL}
    rows = (
        Transmission.objects.filter(status__in=OPEN, deadline_at__isnull=False)
        .values_list("lane_id")
        .annotate(deadline=Min("deadline_at"), created=Min("created_at"))
    )
    found = []
    for pk, ends, began in rows:
        spent = 100 * age(began, scene.now) / max(1.0, (ends - began).total_seconds())
        reached = [step for step in settings.ALERT_DEADLINE_PERCENTS if spent >= step]
        if pk in lanes and reached:
            title = f"{max(reached)} % of the time in which a sale must be signed has passed."
            severity = Severity.CRITICAL if max(reached) >= 80 else Severity.WARNING
            more = {"severity": severity, "level": max(reached)}
            found.append(of_lane("deadline", lanes[pk], title, began, **more))
    return sorted(found, key=lambda each: (-each.level, each.since))


def token_expiry(scene: Scene) -> list[Finding]:
    soon = scene.now + timedelta(days=settings.ALERT_EXPIRY_DAYS)
    ending = ApiToken.objects.filter(
        revoked_at=None, expires_at__lte=soon, expires_at__gt=scene.now - timedelta(days=7)
    ).exclude(company__is_active=False)
    return [
        Finding(
            "token_expiry",
            f"token:{token.pk}",
            f"The token {token.name} ({token.prefix}…) "
            f"{'ends' if token.expires_at > scene.now else 'ended'} on "
            f"{token.expires_at:%d/%m/%Y %H:%M} UTC."[:300],
            scene.now,
            company=token.company_id,
            device=token.device_id,
        )
        for token in ending.order_by("expires_at")
        if token.expires_at is not None
    ]


RULES: dict[str, Callable[[Scene], list[Finding]]] = {
    "nothing_accepted": nothing_accepted,
    "oldest_pending": oldest_pending,
    "unknown": unknown,
    "conflict": conflict,
    "error_rate": error_rate,
    "breaker_open": breaker_open,
    "silent": silent,
    "device_refused": device_refused,
    "deadline": deadline,
    "token_expiry": token_expiry,
    "journal_late": lambda scene: upkeep.journal_late(scene.now),
    "webhook_disabled": lambda scene: upkeep.webhook_disabled(scene.now),
    "backup_old": lambda scene: upkeep.backup_old(scene.now),
}
