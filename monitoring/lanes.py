"""What every lane waits for and when KRA last accepted something of it, in one bounded question.

Metrics, the watchdog and the dashboard page all stand on it. Its cost grows with the lanes and with
what is open, never with what was ever sent.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from outbox.models import OPEN, Status, Stream


class LaneState(NamedTuple):
    lane: int
    stream: str
    device: int
    serial: str
    device_state: str
    branch: str
    company: int
    pin: str
    environment: str
    profile: str
    # The head's; "" when nothing waits.
    status: str
    waiting: int
    oldest: datetime | None
    due: datetime | None
    last_accepted: datetime | None

    @property
    def host(self) -> str:
        return f"{self.environment}/{self.profile}"

    @property
    def is_fiscal(self) -> bool:
        return self.stream == Stream.FISCAL


# The last acceptance of each lane is one look at the end of its part of an index.
SQL = """
    SELECT lane.id, lane.stream, device.id, device.serial, device.state, branch.code, company.id,
        company.pin, company.environment, company.profile, COALESCE(owed.status, ''),
        COALESCE(owed.waiting, 0), owed.oldest, owed.due, accepted.at
    FROM outbox_lane lane
    JOIN devices_device device ON device.id = lane.device_id
    JOIN companies_branch branch ON branch.id = device.branch_id
    JOIN companies_company company ON company.id = device.company_id
    LEFT JOIN (
        SELECT lane_id, COUNT(*) AS waiting, MIN(created_at) AS oldest,
            MIN(not_before) FILTER (WHERE not_before <= %(now)s) AS due,
            -- At most one message of a lane is in flight.
            MAX(status) FILTER (WHERE status <> 'queued') AS status
        FROM outbox_transmission WHERE status = ANY(%(open)s) GROUP BY lane_id
    ) owed ON owed.lane_id = lane.id
    LEFT JOIN LATERAL (
        SELECT finished_at AS at FROM outbox_transmission
        WHERE lane_id = lane.id AND status = %(accepted)s AND finished_at IS NOT NULL
        ORDER BY finished_at DESC LIMIT 1
    ) accepted ON TRUE
"""


def lane_states(*, now: datetime, companies: Sequence[int] | None = None) -> list[LaneState]:
    """All lanes, or those of some companies."""
    only = "" if companies is None else " WHERE device.company_id = ANY(%(companies)s)"
    given: dict[str, Any] = {
        "now": now,
        "open": OPEN,
        "accepted": Status.ACCEPTED.value,
        "companies": list(companies or ()),
    }
    with connection.cursor() as cursor:
        cursor.execute(SQL + only, given)
        return [LaneState(*row) for row in cursor.fetchall()]


def age(moment: datetime | None, now: datetime) -> float:
    """Seconds, at least 0; 0 when there is no such moment."""
    return 0.0 if moment is None else max(0.0, (now - moment).total_seconds())
