"""A worker that dies at a chosen point: `python -m tests.victim POINT ID`. Used by test_crash.py.

It runs the product's own code; only the moment of death is put in from outside.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import django


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(module: Any, name: str) -> None:
    """Die when the named function has returned."""
    real = getattr(module, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = real(*args, **kwargs)
        if result is not False:  # a claim that found nothing is no claim
            die()
        return result

    setattr(module, name, wrapped)


def before(module: Any, name: str) -> None:
    setattr(module, name, die)


def main(point: str, subject: str) -> None:
    django.setup()
    from outbox import delivery
    from purchases import messages as purchases
    from sales import messages

    points: dict[str, Callable[[], None]] = {
        "after_claim": lambda: after(delivery, "claim"),
        "after_send": lambda: after(delivery, "post"),
        "after_answer_stored": lambda: after(delivery, "finish_call"),
        "inside_record": lambda: before(messages, "move_goods"),
        "inside_purchase": lambda: before(purchases, "put_in_stock"),
        "after_record": lambda: after(delivery, "settle"),
        "never": lambda: None,
    }
    if point == "after_commit":
        sell_and_die(subject)
        return
    points[point]()
    delivery.drain(int(subject), until=time.monotonic() + 30)


def sell_and_die(subject: str) -> None:
    """The web process dies between the commit of a sale and its ring."""
    import msgspec

    from devices.models import Device
    from outbox import doorbell
    from sales.acceptance import create_sale
    from sales.schemas import SaleInput

    facts = json.loads(subject)
    before(doorbell, "ring")
    device = Device.objects.select_related("company", "branch").get(serial=facts["device"])
    create_sale(device, msgspec.convert(facts, SaleInput))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "etims_integration.settings")
    main(*sys.argv[1:])
