"""A certification that dies at a chosen point: `python -m tests.certify_victim POINT FOLDER`.

It runs the product's own code; only the moment of death is put in from outside.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

import django

from tests.victim import after, before, die


def arm_sale() -> None:
    """Die with the sale sent and its answer not read."""
    from outbox import delivery

    real = delivery.post

    def post(call: Any, target: Any, body: bytes) -> Any:
        answer = real(call, target, body)
        if call.endpoint == "sales_save":
            die()
        return answer

    delivery.post = post


def arm_purchase() -> None:
    """Die with KRA's word on the confirmation stored and not yet acted on."""
    from outbox import delivery

    real = delivery.finish_call

    def finish_call(call: Any, answer: Any) -> Any:
        reply = real(call, answer)
        if call.endpoint == "purchase_save":
            die()
        return reply

    delivery.finish_call = finish_call


def main(point: str, folder: str) -> None:
    django.setup()
    from django.core.management import call_command

    from devices import initialisation
    from items.services import lists
    from monitoring.certification import run

    points: dict[str, Callable[[], None]] = {
        "key_stored": lambda: after(initialisation, "_keep"),
        "list_answered": lambda: after(lists, "exchange"),
        "sale_sent": arm_sale,
        "purchase_stored": arm_purchase,
        "papers": lambda: before(run.artefacts, "lay_out"),
    }
    points[point]()
    call_command("certify", target="simulator", folder=folder)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "etims_integration.settings")
    main(*sys.argv[1:])
