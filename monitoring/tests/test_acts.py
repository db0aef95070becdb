"""Doing things for people: who may, why, once, with a trace, and with a second person."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from companies.models import ApiToken, Member
from core.errors import DomainError, Invalid, NotFound
from devices.models import Call, SigningKey
from monitoring.acts import services
from monitoring.acts.catalogue import ACTS, Act, Given, act_named
from monitoring.models import ActionRequest, AuditEvent
from monitoring.roles import DOES
from outbox.models import Transmission
from sales.models import Invoice

pytestmark = pytest.mark.django_db

WHY = Given("asha", "the till was stolen")


@pytest.fixture
def person(django_user_model):
    def build(name, role=None, tenant=None, **fields):
        user = django_user_model.objects.create(username=name, is_staff=True, **fields)
        if role:
            Member.objects.create(company=tenant.company, user=user, role=role)
        return user

    return build


@pytest.fixture
def asha(person, alpha):
    return person("asha", "owner", alpha)


@pytest.fixture
def ben(person, alpha):
    return person("ben", "owner", alpha)


@pytest.fixture
def counted(monkeypatch):
    """An act that counts how often it runs, in the place of setting a counter right."""
    runs = []

    def run(obj, given):
        runs.append((obj.pk, given.by, given.values))
        return "counted"

    known = ACTS["outbox.Lane"][0]
    fake = Act("resync", known.label, known.effect, run, known.is_possible,
               needs_second=known.needs_second)  # fmt: skip
    monkeypatch.setitem(ACTS, "outbox.Lane", (fake,))
    return runs


def act(label, name):
    return act_named(label, name)


def trail():
    return list(AuditEvent.objects.order_by("pk").values_list("act", "stage", "actor", "reason"))


def ask(alpha, user, **values):
    given = Given(user.username, "a backup was restored", values)
    return services.ask(act("outbox.Lane", "resync"), alpha.lane, given, user=user)


def test_every_act_has_its_roles():
    assert {one.name for acts in ACTS.values() for one in acts} <= set(DOES)
    assert all("auditor" not in roles and "cashier" not in roles for roles in DOES.values())


def test_it_suspends_with_a_reason_and_leaves_a_trace(alpha, asha):
    services.perform(act("devices.Device", "suspend"), alpha.device, WHY, user=asha)

    alpha.device.refresh_from_db()
    assert (alpha.device.state, alpha.device.state_reason) == ("suspended", WHY.reason)
    assert trail() == [
        ("suspend", "asked", "asha", WHY.reason),
        ("suspend", "done", "asha", WHY.reason),
    ]
    assert {event.company for event in AuditEvent.objects.all()} == {alpha.company}


@pytest.mark.parametrize("reason", ["", "  ", "ok"])
def test_it_asks_why(alpha, asha, reason):
    with pytest.raises(Invalid) as refusal:
        services.perform(
            act("devices.Device", "suspend"), alpha.device, Given("asha", reason), user=asha
        )

    assert refusal.value.problems[0].field == "reason"
    alpha.device.refresh_from_db()
    assert alpha.device.state == "active"
    assert trail() == []


def test_a_refusal_of_the_service_is_written_down(alpha, asha, sell):
    signed = sell(alpha)

    with pytest.raises(DomainError) as refusal:
        services.perform(act("sales.Invoice", "void"), signed, WHY, user=asha)

    assert refusal.value.code == "not_voidable"
    assert [(stage, detail) for stage, detail in AuditEvent.objects.values_list("stage", "detail")
            ] == [("asked", ""), ("refused", refusal.value.message)]  # fmt: skip


@pytest.mark.parametrize(
    ("_case", "role"), [("cashier", "cashier"), ("auditor", "auditor"), ("nobody", None)]
)
def test_others_do_nothing(alpha, person, _case, role):
    user = person("carol", role, alpha)

    with pytest.raises(services.NotAllowed):
        services.perform(act("devices.Device", "suspend"), alpha.device, WHY, user=user)
    with pytest.raises(services.NotAllowed):
        ask(alpha, user)
    assert trail() == []


def test_another_companys_owner_does_nothing(alpha, beta, person):
    with pytest.raises(services.NotAllowed):
        services.perform(
            act("devices.Device", "suspend"), alpha.device, WHY, user=person("b", "owner", beta)
        )


def test_a_switched_off_person_does_nothing(alpha, asha):
    asha.is_active = False

    with pytest.raises(services.NotAllowed):
        services.perform(act("devices.Device", "suspend"), alpha.device, WHY, user=asha)


def test_the_operators_token_is_the_operators(alpha, asha, person):
    token, _ = ApiToken.issue(name="operator", scopes=["platform:admin"])
    revoke = act("companies.ApiToken", "revoke")

    with pytest.raises(services.NotAllowed):
        services.perform(revoke, token, WHY, user=asha)
    services.perform(revoke, token, WHY, user=person("root", is_superuser=True))

    token.refresh_from_db()
    assert token.state == "revoked"


def test_the_same_page_acts_once(alpha, asha):
    rotate, key = act("devices.Device", "rotate_keys"), uuid4()
    services.perform(rotate, alpha.device, WHY, user=asha, key=key)

    with pytest.raises(services.DoneAlready):
        services.perform(rotate, alpha.device, WHY, user=asha, key=key)

    assert SigningKey.objects.count() == 1


# --- The second person ---


def test_what_needs_two_is_not_done_by_one(alpha, asha, counted):
    with pytest.raises(services.NotAllowed):
        services.perform(act("outbox.Lane", "resync"), alpha.lane, WHY, user=asha)
    assert counted == []


def test_a_second_person_agrees_and_it_is_done(alpha, asha, ben, counted):
    asked = ask(alpha, asha, last_number=7)

    said = services.approve(asked.pk, user=ben, reason="KRA's portal says 7")

    asked.refresh_from_db()
    assert (asked.state, asked.decided_by, asked.outcome, said) == ("done", ben, "counted", said)
    assert counted == [(alpha.lane.pk, "asha and ben", {"last_number": 7})]
    assert [stage for _, stage, _, _ in trail()] == ["requested", "approved", "done"]


def test_nobody_agrees_with_himself(alpha, asha, counted):
    asked = ask(alpha, asha)

    with pytest.raises(services.SamePerson):
        services.approve(asked.pk, user=asha)
    with pytest.raises(IntegrityError), transaction.atomic():
        ActionRequest.objects.update(state="approved", decided_by=asha, decided_at=timezone.now())

    assert counted == []


def test_not_even_the_operator_agrees_with_himself(alpha, person, counted):
    root = person("root", is_superuser=True)
    asked = ask(alpha, root)

    with pytest.raises(services.SamePerson):
        services.approve(asked.pk, user=root)
    assert counted == []


@pytest.mark.parametrize("role", ["manager", "cashier", "auditor"])
def test_the_second_person_has_the_role_too(alpha, asha, person, counted, role):
    asked = ask(alpha, asha)

    with pytest.raises((services.NotAllowed, NotFound)):
        services.approve(asked.pk, user=person("carol", role, alpha))
    assert counted == []


def test_another_company_has_no_such_request(alpha, asha, beta, person, counted):
    asked = ask(alpha, asha)

    with pytest.raises(NotFound):
        services.approve(asked.pk, user=person("b", "owner", beta))
    assert counted == []


def test_a_rejection_says_why_and_is_final(alpha, asha, ben, counted):
    asked = ask(alpha, asha)

    with pytest.raises(Invalid):
        services.reject(asked.pk, user=ben, reason="")
    services.reject(asked.pk, user=ben, reason="the number is 8")
    with pytest.raises(services.NotWaiting):
        services.approve(asked.pk, user=ben)

    asked.refresh_from_db()
    assert (asked.state, asked.outcome, counted) == ("rejected", "the number is 8", [])


def test_it_expires(alpha, asha, ben, counted):
    asked = ask(alpha, asha)
    past = timezone.now() - timedelta(seconds=1)
    ActionRequest.objects.update(expires_at=past)

    with pytest.raises(services.NotWaiting):
        services.approve(asked.pk, user=ben)

    asked.refresh_from_db()
    assert (asked.state, asked.decided_by, counted) == ("expired", None, [])
    assert ask(alpha, asha).state == "requested"


def test_it_is_asked_once(alpha, asha, ben, counted):
    ask(alpha, asha)

    with pytest.raises(services.AskedAlready):
        ask(alpha, ben)


def test_a_failure_is_kept_and_can_be_asked_anew(alpha, asha, ben):
    """Nothing answers at KRA's address here."""
    asked = ask(alpha, asha, last_number=7)

    with pytest.raises(DomainError):
        services.approve(asked.pk, user=ben)

    asked.refresh_from_db()
    assert asked.state == "failed"
    assert asked.outcome
    assert ask(alpha, asha, last_number=7).state == "requested"


def test_who_lost_the_role_meanwhile_no_longer_asks(alpha, asha, ben, counted):
    asked = ask(alpha, asha)
    Member.objects.filter(user=asha).update(role="auditor")

    with pytest.raises(services.NotAllowed):
        services.approve(asked.pk, user=ben)

    asked.refresh_from_db()
    assert (asked.state, counted) == ("failed", [])


@pytest.mark.django_db(transaction=True)
def test_it_runs_once_when_two_agree_at_the_same_moment(alpha, asha, ben, person, counted):
    asked = ask(alpha, asha)
    others = [ben, person("cyrus", "owner", alpha), person("root", is_superuser=True)]

    def agree(user):
        try:
            return services.approve(asked.pk, user=user)
        except services.NotWaiting as refusal:
            return refusal.code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(agree, others * 2))

    assert len(counted) == 1
    assert sorted(answers) == ["counted", *["request_not_waiting"] * 5]


def test_voiding_what_kra_may_hold_needs_two(alpha, asha, sell):
    clean, doubtful = sell(alpha, "refused"), sell(alpha, "refused")
    Call.objects.create(
        company=alpha.company, device=alpha.device, endpoint="sales_save", outcome="unknown",
        transmission=doubtful.transmission_id, request="{}", started_at=timezone.now(),
    )  # fmt: skip
    void = act("sales.Invoice", "void")

    services.perform(void, clean, WHY, user=asha)
    with pytest.raises(services.NotAllowed):
        services.perform(void, doubtful, WHY, user=asha)

    assert Invoice.objects.get(pk=clean.pk).status == "voided"
    assert Invoice.objects.get(pk=doubtful.pk).status == "refused"


# --- The record ---


def test_the_record_is_only_added_to(alpha, asha):
    services.perform(act("devices.Device", "suspend"), alpha.device, WHY, user=asha)

    for change in (
        lambda: AuditEvent.objects.update(reason="another"),
        lambda: AuditEvent.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
            change()
    assert AuditEvent.objects.count() == 2


def test_what_a_token_did_is_written_down(alpha, client, sell):
    refused = sell(alpha, "refused")
    headers = {"Authorization": f"Token {alpha.secret}"}
    body = {"reason": "sold twice"}

    for _ in range(2):
        client.post(f"/api/invoices/{refused.pk}/void/", body, "application/json", headers=headers)
    client.post("/api/device/alpha-1/suspend/", body, "application/json", headers=headers)

    events = AuditEvent.objects.order_by("pk")
    found = [(e.actor_kind, e.act, e.stage, e.model, e.object_id, e.reason) for e in events]
    assert found == [
        ("token", "void", "done", "sales.Invoice", str(refused.pk), "sold twice"),
        ("token", "suspend", "done", "devices.Device", str(alpha.device.pk), "sold twice"),
    ]
    assert all(alpha.secret not in str(e.__dict__) for e in events)


def test_a_retry_brings_the_next_attempt_forward(alpha, asha, sell):
    later = timezone.now() + timedelta(hours=1)
    waiting = sell(alpha, "queued")
    Transmission.objects.update(not_before=later)

    services.perform(act("sales.Invoice", "retry"), waiting, Given("asha", ""), user=asha)

    assert Transmission.objects.get().not_before < later
