"""Spans and errors leave real processes over HTTP, and nothing private goes with them."""

import gzip
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import urllib3
from django.conf import settings
from django.db import connection

from local.paths import ROOT
from local.ports import free_port
from monitoring.tests.receiver import Receiver

from . import stack

needs_packages = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("opentelemetry", "sentry_sdk")),
    reason="requirements-telemetry.txt is not installed",
)
TASK = "outbox.tasks.drain_lane"
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PRIVATE = {
    "buyer": "Wanjiku Secretive",
    "reference": "REF-4711-HUSH",
    "query": "query-4711-hush",
    "header": "header-4711-hush",
    "agent": "agent-4711-hush",
    "baggage": "baggage-4711-hush",
}
CALLER = {
    "X-Something": PRIVATE["header"],
    "Cookie": f"sessionid={PRIVATE['header']}",
    "User-Agent": PRIVATE["agent"],
    "baggage": f"who={PRIVATE['baggage']}",
    "X-Request-ID": "till-request-7",
}


@pytest.fixture
def watchers():
    """OTLP's collector and Sentry's ingest."""
    both = SimpleNamespace(otlp=Receiver(), sentry=Receiver())
    yield both
    both.otlp.stop()
    both.sentry.stop()


def asked(otlp_port, sentry_port):
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{otlp_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "SENTRY_DSN": f"http://publickey@127.0.0.1:{sentry_port}/1",
        # Ours, wherever the suite runs.
        "no_proxy": "127.0.0.1",
    }


@contextmanager
def web_of(shop, **environment):
    """An installation with one web process; `ask` sells through it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with stack.running(shop.simulator, BIND=f"127.0.0.1:{port}", **environment) as house:
        house.web()
        stack.wait_until(lambda: stack.answers(url), stack.START_S, lambda: house.log("web"))
        yield house, lambda reference: sell(url, shop, reference)


def sell(url, shop, reference):
    body = {
        "device": shop.device.serial,
        "reference": reference,
        "customer": {"name": PRIVATE["buyer"]},
        "lines": [{"item": "FIT", "quantity": "1"}],
    }
    headers = {"Authorization": f"Token {shop.secret}", "Content-Type": "application/json"}
    return urllib3.request(
        "POST", f"{url}/api/sales/",
        body=json.dumps(body), headers=headers | CALLER, timeout=30.0, retries=False,
    )  # fmt: skip


def print_receipt(house, shop, sale):
    """With a query that nobody else may read."""
    path = f"{sale.json()['links']['receipt']}?print_id={PRIVATE['query']}"
    url = f"http://{house.environment['BIND']}"
    headers = {"Authorization": f"Token {shop.secret}", "Accept": "text/plain"} | CALLER
    return urllib3.request("GET", url + path, headers=headers, timeout=30.0, retries=False)


@contextmanager
def broken(table):
    """Every new row is refused, and the error repeats all that is in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION pg_temp_refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no room for %', NEW; END $$;"
            f"CREATE TRIGGER refuse BEFORE INSERT ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION pg_temp_refuse()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION pg_temp_refuse() CASCADE")


def spans_of(receiver):
    """As a collector reads them, each with its service."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    for _, body in list(receiver.requests):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(
                one.value.string_value
                for one in resource.resource.attributes
                if one.key == "service.name"
            )
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield service, span


def events_of(receiver):
    for text in texts_of([receiver]):
        lines = text.split("\n")
        for head, body in zip(lines[1::2], lines[2::2], strict=False):
            if json.loads(head)["type"] == "event":
                yield json.loads(body)


def texts_of(receivers: Iterable[Receiver]):
    for receiver in receivers:
        for headers, body in list(receiver.requests):
            whole = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
            yield whole.decode(errors="replace")


def secrets_of(shop):
    shop.device.refresh_from_db()
    database = connection.settings_dict
    return PRIVATE | {
        "token": shop.secret,
        "cmcKey": shop.device.key,
        "settings": settings.SECRET_KEY,
        "encryption": settings.ENCRYPTION_KEYS[0],
        "database": f"{database['USER']}:{database['PASSWORD']}",
    }


@needs_packages
def test_spans_and_errors_arrive_and_nothing_private_with_them(shop, watchers):
    environment = asked(watchers.otlp.port, watchers.sentry.port)
    with web_of(shop, **environment) as (house, ask):
        house.worker()
        good = ask("R-1")
        assert good.status == 202, good.data
        stack.wait_until(lambda: len(shop.ledger()) == 1, 60, lambda: house.log("worker"))
        with broken("sales_invoice"):
            assert ask(PRIVATE["reference"]).status == 500
        stack.wait_until(lambda: ask("R-1").json()["status"] == "signed", 60, lambda: "")
        with broken("sales_receiptprint"):
            assert print_receipt(house, shop, good).status == 500
        with broken("sales_receipt"):
            assert ask(PRIVATE["reference"]).status == 202
            stack.wait_until(
                lambda: TASK in doors_of(watchers.sentry), 60, lambda: house.log("worker")
            )
    spans = list(spans_of(watchers.otlp))
    assert {service for service, _ in spans} == {"etims-integration"}
    # The sale and the task that it woke are one trace.
    (sales, tasks) = (
        {span.trace_id for _, span in spans if span.name == name}
        for name in ("POST api/sales/", f"run/{TASK}")
    )
    assert sales & tasks
    found = {event.get("transaction"): event for event in events_of(watchers.sentry)}
    assert "/api/invoices/{pk}/receipt/" in found
    assert found["/api/sales/"]["tags"] == {"request_id": "till-request-7", "method": "POST"}
    raised = found[TASK]["exception"]["values"][0]
    assert raised["type"] == "RaiseException"
    assert any(frame["function"] == "drain_lane" for frame in frames_of(found[TASK]))
    said = "".join(texts_of([watchers.otlp, watchers.sentry]))
    assert [name for name, secret in secrets_of(shop).items() if secret in said] == []


def doors_of(sentry):
    return {event.get("transaction") for event in events_of(sentry)}


def frames_of(event):
    values = event["exception"]["values"]
    return [frame for each in values for frame in each["stacktrace"]["frames"]]


@contextmanager
def deaf():
    """A receiver that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as held:
        yield held.getsockname()[1]


@needs_packages
def test_a_dead_receiver_slows_and_breaks_nothing(shop):
    with deaf() as otlp, deaf() as sentry, web_of(shop, **asked(otlp, sentry)) as (house, ask):
        ask("WARM")
        with broken("sales_invoice"):
            assert [timed(ask, f"BAD-{n}")[0] for n in range(5)] == [500] * 5
        answers = [timed(ask, f"R-{n}") for n in range(40)]
        assert {status for status, _ in answers} == {202}
        # One wait for a receiver would take seconds.
        assert max(took for _, took in answers) < 1.0
        # Nor does the process stay because of it, when it is asked to go.
        began = time.monotonic()
        assert house.ask_to_stop("web").wait(30) == 0
        assert time.monotonic() - began < 15


def timed(ask, reference):
    began = time.monotonic()
    return ask(reference).status, time.monotonic() - began


UNASKED = """
import sys, etims_integration.wsgi
from celery.signals import beat_init, worker_init
for signal in (worker_init, beat_init):
    signal.send(sender=None)
# Redis' client looks at OpenTelemetry's interfaces by itself, where they are installed.
unasked = ("sentry_sdk", "opentelemetry.exporter", "opentelemetry.instrumentation")
print(sorted({*unasked, "monitoring.telemetry.traces"} & sys.modules.keys()))
"""


def test_nothing_is_imported_unasked():
    environment = {name: value for name, value in os.environ.items() if "OTEL" not in name}
    environment.pop("SENTRY_DSN", None)
    done = subprocess.run(
        [sys.executable, "-c", UNASKED],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout.strip().endswith("[]"), done.stdout


@needs_packages
def test_a_variable_alone_starts_only_its_own(shop, watchers):
    environment = asked(watchers.otlp.port, watchers.sentry.port) | {"SENTRY_DSN": ""}
    with web_of(shop, **environment) as (_, ask):
        with broken("sales_invoice"):
            assert ask("R-1").status == 500
        stack.wait_until(lambda: watchers.otlp.requests, 20)
    assert watchers.sentry.requests == []
    # The span says that it failed, and of what kind the error was; not its words.
    sales = [span for _, span in spans_of(watchers.otlp) if span.name == "POST api/sales/"]
    noted = [{one.key: one.value.int_value for one in span.attributes} for span in sales]
    assert [each["http.status_code"] for each in noted] == [500]
    said = "".join(texts_of([watchers.otlp]))
    assert [name for name, secret in secrets_of(shop).items() if secret in said] == []


def test_asked_for_but_not_installed_stops_the_start():
    """Whoever sets the variable believes to be told."""
    blocked = "import sys; sys.modules['sentry_sdk'] = None; import etims_integration.wsgi"
    done = subprocess.run(
        [sys.executable, "-c", blocked],
        env=os.environ | {"SENTRY_DSN": "http://key@127.0.0.1:1/1"},
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "sentry_sdk" in done.stderr
