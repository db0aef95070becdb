"""Shops with tills: companies, branches, one device each, service items; all as people open them.

Every company has the same number of branches, so that the keys of the n-th device can be computed:
pgbench knows no tables (floor.py).
"""

import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.world import World
from local.console import Problem

BRANCHES = 25
SKUS = [f"SERVICE-{number}" for number in range(1, 6)]
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Till:
    """One device, its fiscal lane, and a token bound to it."""

    device: Any
    lane_id: int
    secret: str

    def post(self, *, wait: int = 0) -> Callable[[], bytes]:
        """A maker of requests, each a new sale of 5 lines."""
        prefer = f"Prefer: wait={wait}\r\n" if wait else ""
        head = (
            "POST /api/sales/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Token {self.secret}\r\n{prefer}"
            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        )
        return lambda: _whole(head, body_of(f"TILL-{next(_numbers):09}"))

    def get(self, path: str) -> bytes:
        return get(path, f"Authorization: Token {self.secret}\r\n")


def get(path: str, more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n".encode()


def _whole(head: str, body: bytes) -> bytes:
    return (head % len(body)).encode() + body


_BODY = json.dumps(
    {
        "reference": "REF",
        "prices_include_tax": True,
        "customer": {"pin": "P000111222B", "name": "Mfano Hotel Ltd"},
        "payment_method": "mobile_money",
        "lines": [
            {"item": sku, "quantity": str(place), "unit_price": "580.00"}
            for place, sku in enumerate(SKUS, start=1)
        ],
    }
)


def body_of(reference: str) -> bytes:
    return _BODY.replace("REF", reference).encode()


def open_shops(world: World, devices: int) -> list[Till]:
    """Open so many devices, in companies of 25 branches."""
    from outbox.services import lane_id_of

    world.latency(0)
    opened: list[tuple[Any, str]] = []
    while len(opened) < devices:
        opened += _open_company(f"P{len(opened):09}Z", min(BRANCHES, devices))
    return [Till(device, lane_id_of(device.pk, "fiscal"), secret) for device, secret in opened]


def _open_company(pin: str, branches: int) -> list[tuple[Any, str]]:
    """Devices with a token for each."""
    from companies.models import TILL_SCOPES, ApiToken
    from companies.services import add_branch, onboard_company
    from devices.initialisation import initialise

    company, office, secret = onboard_company(
        pin=pin,
        name=f"Mfano {pin}",
        environment="simulator",
        profile="direct",
        head_office={"code": "00", "name": "Head office", "address": "Moi Avenue, Nairobi"},
    )
    places = [office]
    places += [add_branch(company=company, code=f"{n:02}", name=f"{n}") for n in range(1, branches)]
    devices = [
        initialise(company=company, branch=place, serial=f"{pin}-{place.code}") for place in places
    ]
    _register_items(devices[0].serial, secret)
    return [
        (one, ApiToken.issue(name="till", scopes=TILL_SCOPES, company=company, device=one)[1])
        for one in devices
    ]


def _register_items(serial: str, secret: str) -> None:
    from django.test import Client

    from outbox.queries import due_lanes
    from outbox.waiting import wait_for_lane

    rows = [
        {"sku": sku, "name": f"Fitting service {sku}", "classification": "1000000000", "tax": "B",
         "price": "580.00", "product_type": "service"}
        for sku in SKUS
    ]  # fmt: skip
    answer = Client().post(
        "/api/item/sync/",
        {"device": serial, "items": rows},
        content_type="application/json",
        headers={"Authorization": f"Token {secret}"},
    )
    if answer.status_code != 200:
        raise Problem(f"The items were refused: {answer.content[:300]!r}")
    for lane_id in due_lanes().values_list("pk", flat=True):
        wait_for_lane(lane_id, 20)


def keys_are_regular(tills: Sequence[Till]) -> bool:
    """Whether the keys of device n follow from those of the first."""
    first = tills[0]
    return all(
        till.device.pk == first.device.pk + place
        and till.device.branch_id == first.device.branch_id + place
        and till.lane_id == first.lane_id + place
        and till.device.company_id == first.device.company_id + place // BRANCHES
        for place, till in enumerate(tills)
    )


def round_robin(tills: Sequence[Till]) -> Callable[[], bytes]:
    """The tills' requests in turn."""
    makers = itertools.cycle([till.post() for till in tills])
    return lambda: next(makers)()


def settle(world: World, *, seconds: float = 30.0) -> None:
    """KRA is well again; what was never sent is forgotten, what was tried is finished."""
    from django.utils import timezone

    from bench.world import wait_until
    from outbox.models import Breaker, Lane, Transmission
    from outbox.tasks import sweep

    world.outage(False)
    world.latency(0)
    now = timezone.now()

    def is_quiet() -> bool:
        Breaker.objects.update(is_open=False, failures=0)
        untouched = Transmission.objects.filter(status="queued", attempts=0)
        untouched.update(status="cancelled", finished_at=now)
        Transmission.objects.open().filter(not_before__gt=now).update(not_before=now)
        Lane.objects.exclude(resume_at=None).update(resume_at=None)
        sweep()
        return not Transmission.objects.open().exists()

    wait_until(is_quiet, seconds=seconds, what="messages are still open", every_s=0.5)
    time.sleep(1.2)  # each process looks at the breaker once a second
