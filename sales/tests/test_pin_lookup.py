"""Who is behind a PIN: asked once in a while, answered from the last copy while KRA is silent."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from companies.models import COMPANY_SCOPES, ApiToken
from devices.models import Call, Device
from kra.errors import DeviceRefused, OutcomeUnknown, Unavailable
from outbox.models import Breaker
from sales.models import PinRecord
from sales.tests import shop

from .fake_kra import said

PIN = "P000111222B"


def found(**facts):
    row = {
        "tin": PIN, "taxprNm": "Mfano Hotel Ltd", "taxprSttsCd": "A", "prvncNm": "NAIROBI CITY",
        "dstrtNm": "WESTLANDS", "sctrNm": "WON", "locDesc": "Example Towers",
    }  # fmt: skip
    return said(data={"custList": [row | facts]})


@pytest.fixture
def ask(device, kra):
    _, secret = ApiToken.issue(name="till", scopes=COMPANY_SCOPES, company=device.company)

    def run(query=f"pin={PIN}", *, secret=secret):
        headers = {"Authorization": f"Token {secret}"}
        return Client().get(f"/api/customers/lookup/?{query}", headers=headers)

    return run


def grow_old(hours=1):
    PinRecord.objects.update(asked_at=timezone.now() - timedelta(hours=hours))


def test_it_asks_kra_and_keeps_the_answer(ask, kra):
    kra.replies.append(found())

    first, second = ask().json(), ask().json()

    assert first["name"] == "Mfano Hotel Ltd"
    assert (first["status"], first["status_code"]) == ("active", "A")
    assert first["address"] == "Example Towers, WON, WESTLANDS, NAIROBI CITY"
    assert (first["is_stale"], first["age_seconds"]) == (False, 0)
    assert second["asked_at"] == first["asked_at"]
    assert len(kra.sent["customer_pin"]) == 1
    assert kra.sent["customer_pin"][0]["custmTin"] == PIN


def test_it_asks_again_when_the_copy_is_old(ask, kra, settings):
    kra.replies += [found(), found(taxprNm="Mfano Hotels Ltd", taxprSttsCd="D")]
    ask()
    PinRecord.objects.update(asked_at=timezone.now() - timedelta(seconds=601))

    answer = ask().json()

    assert (answer["name"], answer["status"]) == ("Mfano Hotels Ltd", "inactive")
    assert PinRecord.objects.count() == 1


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("connect_timeout"),
        OutcomeUnknown("read_timeout"),
        DeviceRefused("902"),
        found(taxprNm=""),
        found(tin="A999999999Z"),
    ],
)
def test_while_kra_gives_no_answer_the_last_copy_counts(ask, kra, error):
    kra.replies += [found(), error]
    ask()
    grow_old()

    answer = ask().json()

    assert (answer["name"], answer["is_stale"]) == ("Mfano Hotel Ltd", True)
    assert 3600 <= answer["age_seconds"] < 3700


@pytest.mark.parametrize(
    "error", [Unavailable("connect_timeout"), OutcomeUnknown("read_timeout"), DeviceRefused("902")]
)
def test_without_a_copy_it_says_so(ask, kra, error):
    kra.replies.append(error)

    response = ask()

    assert response.status_code == 503
    body = response.json()["error"]
    assert body["code"] == "kra_unavailable"
    assert "Try again" in body["help"]
    assert not PinRecord.objects.exists()


def test_it_does_not_wait_for_a_host_known_to_be_down(ask, kra):
    Breaker.objects.create(host="simulator/direct", is_open=True)

    assert ask().status_code == 503
    assert not Call.objects.exists()


@pytest.mark.parametrize("reply", [said("001"), said("000", data={"custList": []})])
def test_a_pin_that_kra_does_not_know_is_a_404(ask, kra, reply):
    kra.replies += [found(), reply, Unavailable("connect_timeout")]
    ask()
    grow_old()

    response = ask()

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "pin_unknown"
    assert response.json()["error"]["help"]
    grow_old()
    assert ask().status_code == 503  # the copy that KRA took back is no copy


def test_an_unknown_pin_may_be_asked_about_again_at_once(ask, kra, settings):
    settings.PIN_UNKNOWN_CACHE_SECONDS = 0
    kra.replies += [said("001"), found()]

    assert [ask().status_code, ask().status_code] == [404, 200]


def test_an_unknown_pin_is_not_asked_about_again_at_once(ask, kra):
    kra.replies += [said("001"), found()]

    answers = [ask() for _ in range(3)]

    assert [one.status_code for one in answers] == [404, 404, 404]
    assert len(kra.sent["customer_pin"]) == 1
    PinRecord.objects.update(asked_at=timezone.now() - timedelta(seconds=61))
    assert ask().json()["name"] == "Mfano Hotel Ltd"
    assert PinRecord.objects.count() == 1


def test_a_refusal_by_kra_names_the_pin(ask, kra):
    kra.replies.append(said("910", "Request parameter error"))

    response = ask()

    assert response.status_code == 400
    assert response.json()["error"]["detail"][0]["field"] == "pin"


@pytest.mark.parametrize(
    "pin", ["", "P00011122B", "P000111222", "P0001112223", "%00", "P000111222BX", "P٠٠٠١١١٢٢٢B"]
)
def test_a_wrong_pin_is_not_asked_about(ask, kra, pin):
    response = ask(f"pin={pin}")

    assert response.status_code == 400
    detail = response.json()["error"]["detail"][0]
    assert detail["field"] == "pin"
    assert detail["next_step"]
    assert not Call.objects.exists()


def test_it_reads_a_pin_as_people_type_it(ask, kra):
    kra.replies.append(found())

    assert ask("pin=%20p000111222b%20").json()["pin"] == PIN


def test_companies_of_one_environment_share_the_copy(ask, kra):
    kra.replies.append(found())
    ask()
    other = shop.open_company("B000000002B")
    shop.add_device(other, "dvc-b")
    _, secret = ApiToken.issue(name="till", scopes=COMPANY_SCOPES, company=other)

    assert ask(secret=secret).json()["name"] == "Mfano Hotel Ltd"
    assert len(kra.sent["customer_pin"]) == 1
    other.environment = "sandbox"
    other.save()
    assert not PinRecord.objects.filter(environment="sandbox").exists()


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("device=dvcv1130", 409, "no_active_device"),
        ("", 409, "no_active_device"),
        ("device=another", 404, "not_found"),
    ],
)
def test_it_asks_through_an_active_device_only(ask, device, kra, query, status, code):
    Device.objects.update(state="suspended")

    response = ask(f"pin={PIN}&{query}")

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert not Call.objects.exists()


def test_the_operator_names_whose_device_asks(ask, device, kra):
    kra.replies.append(found())
    _, secret = ApiToken.issue(name="operator", scopes=["platform:admin"])

    unnamed = ask(secret=secret)
    named = ask(f"pin={PIN}&company={device.company.pin}", secret=secret)

    assert (unnamed.status_code, named.status_code) == (400, 200)
