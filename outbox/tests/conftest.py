"""A device with lanes, messages of kinds that exist for tests alone, and KRA as a script."""

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.utils import timezone

from companies.authentication import TokenAuthentication
from companies.models import Branch, Company
from devices import calls
from devices.models import Device
from devices.tests.fake_kra import FakeKRA
from outbox import breaker, doorbell, services
from outbox.delivery import Claim, claim, drain
from outbox.lanes import Lease
from outbox.models import Lane, Transmission
from outbox.services import enqueue, owe

from .toy import KINDS


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch):
    """What a process remembers must not outlive a test's database; nobody is at the door."""
    for forget in (services.forget, breaker.forget, calls.forget_devices):
        forget()
    TokenAuthentication.cache.clear()
    monkeypatch.setattr(doorbell, "_broken_until", float("inf"))


@pytest.fixture(autouse=True)
def kra(monkeypatch, settings) -> FakeKRA:
    fake = FakeKRA()
    monkeypatch.setattr(calls, "client", lambda: fake)
    settings.OUTBOX_KINDS = settings.OUTBOX_KINDS | KINDS
    hosts = {("simulator", "direct"): ("http://kra.test", ""),
             ("sandbox", "direct"): ("http://sandbox.test", "")}  # fmt: skip
    settings.KRA_HOSTS = settings.KRA_HOSTS | hosts
    return fake


@pytest.fixture
def add_device(db) -> Callable[..., Device]:
    def build(serial: str = "dvc1", pin: str = "A000000001A", **fields: Any) -> Device:
        where = {"environment": fields.pop("environment", "simulator"), "profile": "direct"}
        company, _ = Company.objects.get_or_create(pin=pin, defaults={"name": pin} | where)
        branch, _ = Branch.objects.get_or_create(company=company, code="00")
        facts = {"branch": branch, "state": "active", "key": "CMCKEY-NEVER-SHOWN"}
        return Device.objects.create(company=company, serial=serial, **(facts | fields))

    return build


@pytest.fixture
def device(add_device):
    return add_device()


@pytest.fixture
def lane(device):
    return Lane.objects.create(device=device, stream="fiscal")


@pytest.fixture
def debt(lane) -> Callable[..., Transmission]:
    """A message that is owed; `more` are columns as they shall be."""

    def build(reference: str = "R-1", kind: str = "toy", **more: Any) -> Transmission:
        target = more.pop("lane", lane)
        row = owe(lane_id=target.pk, kind=kind, reference=reference, content=reference.encode())
        for name, value in more.items():
            setattr(row, name, value)
        return enqueue(row)

    return build


@pytest.fixture
def deliver(lane) -> Callable[[], bool]:
    """What a worker does that found the lane free."""
    return lambda: drain(lane.pk, until=time.monotonic() + 20)


@pytest.fixture
def pass_time() -> Callable[..., None]:
    """The waits of messages, leases and ramps are over."""

    def skip() -> None:
        past = timezone.now() - timedelta(seconds=1)
        Transmission.objects.open().filter(not_before__gt=past).update(not_before=past)
        Lane.objects.update(lease_until=None, resume_at=None)

    return skip


@pytest.fixture
def lease(lane) -> Lease:
    """This test is the lane's worker."""
    taken = Lease.take(lane.pk)
    assert taken is not None
    return taken


def claimed(lease: Lease) -> Claim:
    """The lane's next step, which there must be."""
    step = claim(lease)
    assert isinstance(step, Claim)
    return step


class FakeCelery:
    """Takes tasks and runs none."""

    def __init__(self) -> None:
        self.rings: list[tuple[int, int]] = []
        self.error: Exception | None = None

    def send_task(self, name: str, *, args: list[int], priority: int) -> None:
        assert name == "outbox.tasks.drain_lane"
        if self.error is not None:
            raise self.error
        self.rings.append((args[0], priority))

    @property
    def lanes(self) -> list[int]:
        return [lane_id for lane_id, _ in self.rings]


@pytest.fixture
def bell(monkeypatch, settings) -> Iterator[FakeCelery]:
    """The doorbell works, on real Redis under keys of this test's own; who rings is on a list."""
    own, key_of = uuid.uuid4(), doorbell._key
    monkeypatch.setattr(doorbell, "_key", lambda lane_id: f"test:{own}:{key_of(lane_id)}")
    with redis.Redis.from_url(settings.REDIS_URL) as connection:
        fake = FakeCelery()
        monkeypatch.setattr(doorbell, "_redis", connection)
        monkeypatch.setattr(doorbell, "_broken_until", 0.0)
        monkeypatch.setattr(doorbell, "app", fake)
        yield fake


@pytest.fixture
def another_worker(pass_time, deliver):
    """Somebody else finds the lane after its worker's lease has ended."""

    def work():
        pass_time()
        return deliver()

    return work
