"""Write an event down, and for whom it is: one statement, in the transaction of the change.

By hand, because every signed sale takes this path (core/sql.py).
"""

from typing import Any

import msgspec
from django.utils import timezone

from core import sql

_DELIVERIES = """
    INSERT INTO monitoring_delivery (
        event_id, endpoint_id, state, attempts, next_attempt_at, due_since
    )
    SELECT event.id, endpoint.id, 'pending', 0, event.created_at, event.created_at
    FROM event JOIN monitoring_endpoint endpoint
        ON endpoint.company_id = event.company_id AND endpoint.state = 'active'
        AND event.kind = ANY(endpoint.events)
        AND (endpoint.device_id IS NULL OR endpoint.device_id = event.device_id)
"""
_COLUMNS = """
    INSERT INTO monitoring_event (
        key, company_id, device_id, kind, invoice_id, facts, recorded_in, created_at
    )
"""
_OURS = "pg_current_xact_id()::text::bigint, $3"
_RETURNING = "RETURNING id, company_id, device_id, kind, created_at"

OF_A_SALE = f"""
    WITH event AS (
        {_COLUMNS}
        SELECT gen_random_uuid(), company_id, device_id, kind || $4, id, $2::jsonb, {_OURS}
        FROM sales_invoice WHERE transmission_id = $1
        {_RETURNING}
    ) {_DELIVERIES}
"""
OF_A_DEVICE = f"""
    WITH event AS (
        {_COLUMNS}
        SELECT gen_random_uuid(), company_id, id, 'device.state', NULL,
            $2::jsonb || jsonb_build_object('state', state, 'reason', state_reason), {_OURS}
        FROM devices_device WHERE id = $1
        {_RETURNING}
    ) {_DELIVERIES}
"""


def record(what: str, subject: int, facts: dict[str, Any]) -> None:
    """A sink of core/events.py. A sale's own kind says whether it is a credit note."""
    noun, _, state = what.partition(".")
    values = [subject, msgspec.json.encode(facts).decode(), timezone.now()]
    if noun == "sale":
        sql.run(OF_A_SALE, [*values, f".{state}"])
    elif what == "device.state":
        sql.run(OF_A_DEVICE, values)
