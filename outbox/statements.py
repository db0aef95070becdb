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
    f"SELECT outbox_transmission.xmin::text AS seen, {_ROW_COLUMNS} FROM outbox_transmission"
    f" WHERE lane_id = $1 AND status IN ({_OPEN})"
    " ORDER BY number ASC NULLS LAST, id LIMIT 1"
)
# The head as it was when the statement began: the lane may have been waited for since.
LOCK_LANE_AND_HEAD = f"""
    WITH lane AS MATERIALIZED ({LOCK_LANE})
    SELECT * FROM lane LEFT JOIN LATERAL ({HEAD}) AS head ON true
"""
_SEEN, _SEEN_COLUMNS = sql.columns(Transmission, "content", "body")
ROW = f"SELECT {_SEEN_COLUMNS} FROM outbox_transmission WHERE id = $1"
STATUS = "SELECT status FROM outbox_transmission WHERE id = $1"
CLAIM = """
    WITH claimed AS (
        UPDATE outbox_transmission
        SET status = $1, number = $2, body = $3, sha256 = $4, attempts = $5, claimed_at = $6
        WHERE id = $7 AND xmin::text = $8
        RETURNING id
    )
    INSERT INTO devices_call (
        company_id, device_id, endpoint, transmission, attempt, reference, number, request,
        started_at, answer, outcome, code, reason, request_id
    ) SELECT $9, $10, $11, id, $5, $12, $2, $13, $14, '', '', '', '', $15 FROM claimed
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


def lock_lane_and_head(lane_id: int) -> tuple[Lane, Transmission | None]:
    """The locked lane, and the message that goes, or blocks, next. Somebody may have changed that
    while the lane was waited for: `save_claim` looks.
    """
    (row,) = sql.fetch_all(LOCK_LANE_AND_HEAD, [lane_id])
    cut = len(_LANE) + 1
    return _loaded_lane(row[:cut]), _loaded_head(row[cut:])


def _lane(text: str, lane_id: int) -> Lane:
    (row,) = sql.fetch_all(text, [lane_id])
    return _loaded_lane(row)


def _loaded_lane(row: sql.Row) -> Lane:
    *fields, version = row
    lane = sql.loaded(Lane, _LANE, fields)
    lane.device = device_of(lane.device_id, version)
    return lane


def head_of(lane_id: int) -> Transmission | None:
    """The message that goes, or blocks, next."""
    rows = sql.fetch_all(HEAD, [lane_id])
    return _loaded_head(rows[0]) if rows else None


def _loaded_head(row: sql.Row) -> Transmission | None:
    seen, *fields = row
    if seen is None:
        return None
    head = sql.loaded(Transmission, _ROW, fields)
    head.seen = seen
    return head


def is_settled(pk: int) -> bool:
    ((status,),) = sql.fetch_all(STATUS, [pk])
    return status not in OPEN


def read_row(pk: int) -> Transmission:
    """The message as it is now, without its bytes."""
    (fields,) = sql.fetch_all(ROW, [pk])
    return sql.loaded(Transmission, _SEEN, fields)


def save_claim(row: Transmission, call: Call) -> bool:
    """Freeze and claim the row and insert its call: one statement, one round trip. False when the
    row has changed since it was read: then nothing was stored.
    """
    stored = sql.run(
        CLAIM,
        [
            row.status, row.number, bytes(row.body or b""), row.sha256, row.attempts,
            row.claimed_at, row.pk, row.seen,
            call.company_id, call.device_id, call.endpoint, call.reference, call.request,
            call.started_at, call.request_id,
        ],
    ).fetchall()  # fmt: skip
    if stored:
        ((call.pk,),) = stored
    return bool(stored)


def save_acceptance(row: Transmission, now: datetime, *, numbered: bool) -> bool:
    """Leave the claimed state for good, if this attempt still owns the row; its number is spent
    with it, where it is the lane's.
    """
    number = row.number if numbered else None
    return sql.run(ACCEPT, [now, row.pk, row.status, row.attempts, number]).rowcount == 1
