"""The statements of the delivery path, by hand (core/sql.py has the reason)."""

from datetime import datetime

from core import sql
from devices.calls import VERSION, device_of
from devices.models import Call

from .models import OPEN, Lane, Transmission

_LANE, _LANE_COLUMNS = sql.columns(Lane)
_ROW, _ROW_COLUMNS = sql.columns(Transmission)
_OPEN = ", ".join(f"'{status}'" for status in OPEN)

# With the versions of the rows that say who speaks to KRA, and with which key.
READ_LANE = (
    f"SELECT {_LANE_COLUMNS}, {VERSION} JOIN outbox_lane ON outbox_lane.device_id = device.id"
    " WHERE outbox_lane.id = $1"
)
LOCK_LANE = READ_LANE + " FOR NO KEY UPDATE OF outbox_lane"
HEAD = (
    f"SELECT {_ROW_COLUMNS} FROM outbox_transmission"
    f" WHERE lane_id = $1 AND status IN ({_OPEN})"
    " ORDER BY number ASC NULLS LAST, id LIMIT 1"
)
STATUS = "SELECT status FROM outbox_transmission WHERE id = $1"
CLAIM = """
    WITH claimed AS (
        UPDATE outbox_transmission
        SET status = $1, number = $2, body = $3, sha256 = $4, attempts = $5, claimed_at = $6
        WHERE id = $7
    )
    INSERT INTO devices_call (
        company_id, device_id, endpoint, transmission, attempt, reference, number, request,
        started_at, answer, outcome, code, reason, request_id
    ) VALUES ($8, $9, $10, $11, $12, $13, $14, $15, $16, '', '', '', '', $17)
    RETURNING id
"""
ACCEPT = """
    WITH accepted AS (
        UPDATE outbox_transmission
        SET status = 'accepted', finished_at = $1, error_code = '', error_message = ''
        WHERE id = $2 AND status = $3 AND attempts = $4
        RETURNING lane_id
    ), spent AS (
        UPDATE outbox_lane SET last_number = $5
        WHERE id = (SELECT lane_id FROM accepted) AND last_number < $5
    )
    SELECT FROM accepted
"""


def read_lane(lane_id: int) -> Lane:
    """The lane with its device, as they are now."""
    return _lane(READ_LANE, lane_id)


def lock_lane(lane_id: int) -> Lane:
    return _lane(LOCK_LANE, lane_id)


def _lane(text: str, lane_id: int) -> Lane:
    ((*fields, version),) = sql.fetch_all(text, [lane_id])
    lane = sql.loaded(Lane, _LANE, fields)
    lane.device = device_of(lane.device_id, version)
    return lane


def head_of(lane_id: int) -> Transmission | None:
    """The message that goes, or blocks, next."""
    rows = sql.fetch_all(HEAD, [lane_id])
    return sql.loaded(Transmission, _ROW, rows[0]) if rows else None


def is_settled(pk: int) -> bool:
    ((status,),) = sql.fetch_all(STATUS, [pk])
    return status not in OPEN


def save_claim(row: Transmission, call: Call) -> None:
    """Freeze and claim the row and insert its call: one statement, one round trip."""
    ((call.pk,),) = sql.run(
        CLAIM,
        [
            row.status, row.number, bytes(row.body or b""), row.sha256, row.attempts,
            row.claimed_at, row.pk,
            call.company_id, call.device_id, call.endpoint, call.transmission, call.attempt,
            call.reference, call.number, call.request, call.started_at, call.request_id,
        ],
    ).fetchall()  # fmt: skip


def save_acceptance(row: Transmission, now: datetime, *, numbered: bool) -> bool:
    """Leave the claimed state for good, if this attempt still owns the row; its number is spent
    with it, where it is the lane's.
    """
    number = row.number if numbered else None
    return sql.run(ACCEPT, [now, row.pk, row.status, row.attempts, number]).rowcount == 1
