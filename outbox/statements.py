"""The statements of the delivery path, by hand.

Every message takes this path; composing the same SQL anew costs Django more than PostgreSQL needs
to run it (bench/README.md has the ratio). Everything off this path uses the ORM.
"""

from datetime import datetime
from typing import Any, TypeVar

from django.db import connection, models

from devices.models import Call

from .models import OPEN, Lane, Transmission

M = TypeVar("M", bound=models.Model)


def _columns(model: type[models.Model]) -> tuple[list[str], str]:
    fields = model._meta.concrete_fields
    return [field.attname for field in fields], ", ".join(f'"{field.column}"' for field in fields)


def _one(model: type[M], names: list[str], sql: str, params: list[Any]) -> M | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        row = cursor.fetchone()
    return None if row is None else model.from_db("default", names, row)


_LANE, _LANE_COLUMNS = _columns(Lane)
_ROW, _ROW_COLUMNS = _columns(Transmission)
_OPEN = ", ".join(f"'{status}'" for status in OPEN)

LOCK_LANE = f"SELECT {_LANE_COLUMNS} FROM outbox_lane WHERE id = %s FOR NO KEY UPDATE"
HEAD = (
    f"SELECT {_ROW_COLUMNS} FROM outbox_transmission"
    f" WHERE lane_id = %s AND status IN ({_OPEN})"
    " ORDER BY number ASC NULLS LAST, id LIMIT 1"
)
CLAIM = """
    WITH claimed AS (
        UPDATE outbox_transmission
        SET status = %s, number = %s, body = %s, sha256 = %s, attempts = %s, claimed_at = %s
        WHERE id = %s
    )
    INSERT INTO devices_call (
        company_id, device_id, endpoint, transmission, attempt, reference, number, request,
        started_at, answer, outcome, code, reason, request_id
    ) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, '', '', '', '', %s)
    RETURNING id
"""
ACCEPT = """
    UPDATE outbox_transmission
    SET status = 'accepted', finished_at = %s, error_code = '', error_message = ''
    WHERE id = %s AND status = %s AND attempts = %s
"""
SPEND = "UPDATE outbox_lane SET last_number = %s WHERE id = %s AND last_number < %s"


def lock_lane(lane_id: int) -> Lane:
    lane = _one(Lane, _LANE, LOCK_LANE, [lane_id])
    assert lane is not None
    return lane


def head_of(lane_id: int) -> Transmission | None:
    """The message that goes, or blocks, next."""
    return _one(Transmission, _ROW, HEAD, [lane_id])


def save_claim(row: Transmission, call: Call) -> None:
    """Freeze and claim the row and insert its call: one statement, one round trip."""
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM,
            [
                row.status, row.number, bytes(row.body or b""), row.sha256, row.attempts,
                row.claimed_at, row.pk,
                call.company_id, call.device_id, call.endpoint, call.transmission, call.attempt,
                call.reference, call.number, call.request, call.started_at, call.request_id,
            ],
        )  # fmt: skip
        (call.pk,) = cursor.fetchone()


def save_acceptance(row: Transmission, now: datetime) -> bool:
    """Leave the claimed state for good, if this attempt still owns the row."""
    with connection.cursor() as cursor:
        cursor.execute(ACCEPT, [now, row.pk, row.status, row.attempts])
        return bool(cursor.rowcount == 1)


def spend_lane_number(row: Transmission) -> None:
    with connection.cursor() as cursor:
        cursor.execute(SPEND, [row.number, row.lane_id, row.number])
