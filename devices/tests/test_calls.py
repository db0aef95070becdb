"""One exchange with KRA: on record before it is made, completed once, and without secrets."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from companies.models import Company
from core.context import request_id
from devices import calls
from devices.calls import HostNotConfigured, exchange, finish_call, open_call, post, target_for
from devices.models import Call, Device
from devices.services import generate_keys
from kra.client import Client
from kra.errors import DeviceRefused, OutcomeUnknown, Rejected, Unavailable

from .conftest import KEY, URL
from .fake_kra import answer, said, signed

pytestmark = pytest.mark.django_db
Outcome = Call.Outcome
BODY = b'{"tin":"A000000001A","bhfId":"00","lastReqDt":"20260101000000"}'


def test_the_call_is_on_record_before_it_is_made(device, kra):
    seen: list[tuple[str, object, str, str]] = []

    def look():
        seen.extend(Call.objects.values_list("endpoint", "finished_at", "outcome", "request"))
        return said("000", data={})

    kra.script(look)

    exchange(device, "notice_list", BODY, reference="T-1")

    assert seen == [("notice_list", None, Outcome.OPEN, BODY.decode())]


def test_it_stores_the_answer_as_it_came(device, kra):
    kra.script(answer('{ "resultCd":"000",\n "data":{},"resultMsg":"tak\\u0000" }', status=200))
    token = request_id.set("till-7")

    exchange(device, "notice_list", BODY, reference="T-1")
    request_id.reset(token)

    call = Call.objects.get()
    assert call.answer == '{ "resultCd":"000",\n "data":{},"resultMsg":"tak\\u0000" }'
    assert (call.http_status, call.code, call.reason) == (200, "000", "tak")
    assert (call.reference, call.request_id, call.company) == ("T-1", "till-7", device.company)
    assert call.finished_at is not None
    assert call.finished_at >= call.started_at
    assert str(call) == "notice_list 000"


RESULTS = [
    ("accepted", "notice_list", said("000", data={}), None, Outcome.ACCEPTED),
    ("empty", "notice_list", said("001"), None, Outcome.EMPTY),
    ("rejected", "sales_save", said("910", "wrong"), Rejected, Outcome.REJECTED),
    ("unknown", "sales_save", said("999"), OutcomeUnknown, Outcome.UNKNOWN),
    ("page", "sales_save", answer("<html>", status=502), OutcomeUnknown, Outcome.UNKNOWN),
    ("busy", "sales_save", said("990"), Unavailable, Outcome.UNAVAILABLE),
    ("device", "sales_save", said("901"), DeviceRefused, Outcome.DEVICE_REFUSED),
    ("lost", "sales_save", OutcomeUnknown("read_timeout"), OutcomeUnknown, Outcome.UNKNOWN),
    ("not sent", "sales_save", Unavailable("dns_failed"), Unavailable, Outcome.UNAVAILABLE),
    ("set-up", "sales_save", DeviceRefused("credentials_missing"), DeviceRefused,
     Outcome.DEVICE_REFUSED),
]  # fmt: skip


@pytest.mark.parametrize(("_case", "endpoint", "reply", "error", "outcome"), RESULTS)
def test_every_end_of_a_call_is_recorded(device, kra, _case, endpoint, reply, error, outcome):
    kra.script(reply)

    if error is None:
        exchange(device, endpoint, BODY)
    else:
        with pytest.raises(error):
            exchange(device, endpoint, BODY)

    call = Call.objects.get()
    assert call.outcome == outcome
    assert call.finished_at is not None
    assert (call.http_status is None) == isinstance(reply, Exception)


ODD = [
    ("NUL in the code", b'{"resultCd":"9\\u000010","resultMsg":"x"}'),
    ("NUL in the message", b'{"resultCd":"910","resultMsg":"a\\u0000b"}'),
    ("raw NUL", b'{"resultCd":"910"\x00}'),
    ("long code", json.dumps({"resultCd": "9" * 400, "resultMsg": "y" * 5000}).encode()),
    ("not UTF-8", b"\xff\xfe\x00"),
    ("half a surrogate", b'{"resultCd":"910","resultMsg":"\\ud800"}'),
]


@pytest.mark.parametrize(("_case", "body"), ODD)
def test_no_answer_is_too_odd_to_be_stored(device, kra, _case, body):
    kra.script(answer(body))

    with pytest.raises((OutcomeUnknown, Rejected)):
        exchange(device, "sales_save", BODY)

    call = Call.objects.get()
    assert call.finished_at is not None
    assert call.answer


def test_a_clock_that_is_set_back_loses_no_answer(device, kra):
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        call = open_call(device, "sales_save", BODY)
        clock.shift(-3600)

        finish_call(call, signed())

    call.refresh_from_db()
    assert (call.outcome, call.elapsed_ms) == (Outcome.ACCEPTED, 0)


def test_a_call_is_completed_once(device, kra):
    call = open_call(device, "sales_save", BODY)
    finish_call(call, signed())

    with pytest.raises(Rejected):
        finish_call(call, said("910"))

    call.refresh_from_db()
    assert (call.outcome, call.code) == (Outcome.ACCEPTED, "000")


def test_the_answer_outlives_our_failure_to_read_it(device, monkeypatch):
    def fail(endpoint, given):
        raise ZeroDivisionError

    monkeypatch.setattr(calls, "read", fail)
    call = open_call(device, "sales_save", BODY)

    with pytest.raises(ZeroDivisionError):
        finish_call(call, signed())

    call.refresh_from_db()
    assert (call.outcome, call.http_status) == (Outcome.UNREADABLE, 200)
    assert "ABCDEFGHIJKLMNOP" in call.answer


def test_no_call_is_on_record_when_there_is_no_address(device, settings):
    settings.KRA_HOSTS = settings.KRA_HOSTS | {("simulator", "direct"): ("", "")}

    with pytest.raises(HostNotConfigured, match="simulator/direct"):
        exchange(device, "notice_list", BODY)

    assert not Call.objects.exists()


def test_a_target_speaks_for_its_device(device):
    target = target_for(device)

    assert (target.host.base_url, target.host.profile) == (URL, "direct")
    assert (target.identity.pin, target.identity.branch) == (device.company.pin, "00")
    assert target.identity.key == KEY
    assert target.credentials is None
    assert KEY not in repr(target)


@pytest.mark.parametrize(
    ("_case", "fields", "key"),
    [
        ("own keys", {"consumer_key": "ck", "consumer_secret": "cs", "app_id": "app"}, "ck"),
        ("simulator without keys", {}, "simulator"),
    ],
)
def test_the_gateway_gets_the_applications_keys(open_company, add_device, _case, fields, key):
    company = open_company("C000000003C", profile="gavaconnect", **fields)

    credentials = target_for(add_device(company)).credentials

    assert credentials is not None
    assert credentials.consumer_key == key


# Each change of a row in a transaction of its own, as in life: that is what its version counts.
@pytest.mark.django_db(transaction=True)
def test_a_device_is_loaded_once_and_again_when_its_rows_change(
    device, django_assert_num_queries, monkeypatch
):
    now = [1000.0]
    monkeypatch.setattr("devices.calls.time.monotonic", lambda: now[0])
    with django_assert_num_queries(1):
        first = calls.device_of(device.pk)
        assert (first.key, first.company.pin, first.branch.code) == (KEY, "A000000001A", "00")

    now[0] += 100.0
    with django_assert_num_queries(0):  # the version alone is asked for, by hand
        assert calls.device_of(device.pk) is first

    Company.objects.filter(pk=device.company_id).update(trade_name="New sign")
    now[0] += 14.0
    assert calls.device_of(device.pk) is first  # trusted for a while
    now[0] += 2.0
    assert calls.device_of(device.pk).company.trade_name == "New sign"


def test_whoever_knows_the_version_never_gets_an_older_device(device):
    first = calls.device_of(device.pk)
    Device.objects.filter(pk=device.pk).update(state="suspended")

    assert calls.device_of(device.pk) is first
    assert calls.device_of(device.pk, "another/version/now").state == "suspended"


def test_a_device_is_found_by_its_companys_serial(alpha, beta, device, add_device):
    other = add_device(beta, "dvc1")

    for _ in range(2):
        assert calls.find_device(alpha.pk, "dvc1") == device
        assert calls.find_device(beta.pk, "dvc1") == other
        assert calls.find_device(alpha.pk, "dvc9") is None

    added = add_device(alpha, "dvc9")
    assert calls.find_device(alpha.pk, "dvc9") == added


def test_one_client_serves_the_process(monkeypatch):
    monkeypatch.undo()
    calls.client.cache_clear()

    made = calls.client()

    assert isinstance(made, Client)
    assert calls.client() is made
    made.close()
    calls.client.cache_clear()


def all_text():
    """Every value of every column of every table, as the database shows it."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT to_jsonb(t)::text FROM "{table}" t')
            yield from (row[0] for row in cursor.fetchall())


def test_no_secret_is_readable_in_the_database(alpha, branch, kra, open_company, add_device):
    from devices.initialisation import initialise

    info = {"tin": alpha.pin, "bhfId": "00", "cmcKey": KEY}
    echo = answer(f'{{"resultCd":"910","resultMsg":"bad","data":{{"cmcKey":"{KEY}"}}}}')
    kra.script(said("000", data={"info": info}), echo, signed())
    device = initialise(company=alpha, branch=branch, serial="dvc1")
    with pytest.raises(Rejected):
        exchange(device, "sales_save", b'{"cmcKey":"' + KEY.encode() + b'","tin":"x"}')
    exchange(device, "sales_save", BODY)
    private = generate_keys(device).private_key
    open_company("C000000003C", consumer_key="ck-4711-secret", consumer_secret="cs-4711-secret")

    dump = list(all_text())

    assert any("dvc1" in row for row in dump)
    for secret in (KEY, private, "ck-4711-secret", "cs-4711-secret"):
        assert not [row for row in dump if secret in row]


def test_the_secret_is_sent_by_the_client_alone(device, kra):
    kra.script(signed())
    call = open_call(device, "sales_save", BODY)

    post(call, target_for(device), BODY)

    (sent,) = kra.sent
    assert sent.body == BODY
    assert sent.target.identity.key == KEY


def test_a_call_that_is_not_over_is_called_open(device):
    call = open_call(device, "sales_save", BODY)

    assert str(call) == "sales_save open"
    assert timezone.now() - call.started_at < timedelta(minutes=1)
