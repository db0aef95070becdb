"""What a branch keeps at KRA: owed once per change, in order, without a password at rest."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from companies.models import Branch
from core.errors import Invalid
from devices.models import Call, Device
from kra.client import Answer
from kra.errors import OutcomeUnknown, Unavailable
from outbox.delivery import drain
from outbox.models import Transmission
from outbox.services import lane_id_of
from sales.models import BranchUser, Customer, Insurance
from sales.registers.services import RecordNotRetryable, retry_record, save_record

from . import shop
from .fake_kra import said

pytestmark = pytest.mark.usefixtures("kra")
BUYER = {"pin": "P000111222B", "name": "Mfano Hotel Ltd"}
KINDS = [
    (Customer, "branch_customer_save", BUYER),
    (BranchUser, "branch_user_save", {"name": "Asha", "password": "s3cret-Word"}),
    (Insurance, "branch_insurance_save", {"name": "Mfano Insurance", "rate": 20}),
]


@pytest.fixture
def save(device):
    def run(model=Customer, key="C-1", *, by=None, **values):
        return save_record(model, by or device, key, values or BUYER)

    return run


def deliver(device):
    lane_id = lane_id_of(device.pk, "data")
    Transmission.objects.filter(lane=lane_id).update(not_before=timezone.now())
    assert drain(lane_id, until=time.monotonic() + 20)


def fresh(record):
    return type(record).objects.whole().get(pk=record.pk)


def owed():
    return Transmission.objects.count()


@pytest.mark.parametrize(("model", "endpoint", "values"), KINDS)
def test_it_is_queued_then_registered(device, save, kra, model, endpoint, values):
    record = save(model, **values).record
    assert (fresh(record).state, fresh(record).registered_at) == ("queued", None)

    deliver(device)

    assert fresh(record).state == "registered"
    assert fresh(record).registered_at is not None
    (body,) = kra.sent[endpoint]
    assert (body["tin"], body["bhfId"], body["useYn"]) == ("A123456789Z", "00", "Y")
    assert {body[name] for name in ("regrId", "modrId")} == {"etims"}


def test_a_customer_in_kras_words(device, save, kra):
    save(**BUYER, address="Moi Avenue", phone="0712", email="a@b.c", fax="", remark="VIP")

    deliver(device)

    (body,) = kra.sent["branch_customer_save"]
    named = ("custNo", "custTin", "custNm", "adrs", "telNo", "email", "faxNo", "remark")
    assert [body[name] for name in named] == [
        *("C-1", "P000111222B", "Mfano Hotel Ltd", "Moi Avenue", "0712", "a@b.c", None, "VIP")
    ]


@pytest.mark.parametrize(("model", "endpoint", "values"), KINDS)
def test_an_unchanged_repeat_owes_nothing(device, save, model, endpoint, values):
    save(model, **values)
    deliver(device)
    before = list(model.objects.values())

    assert save(model, **values).verdict == "unchanged"
    assert save(model, name=values["name"]).verdict == "unchanged"

    assert owed() == 1
    assert list(model.objects.values()) == before


def test_what_is_left_out_keeps_its_value(device, save, kra):
    save(**BUYER, phone="0712")

    save(name="Mfano Hotels Ltd")

    deliver(device)
    (body,) = kra.sent["branch_customer_save"]  # not yet built: the change joined it
    assert (body["custNm"], body["telNo"]) == ("Mfano Hotels Ltd", "0712")


@pytest.mark.parametrize(("model", "endpoint", "values"), KINDS)
def test_a_new_one_needs_all_its_parts(device, model, endpoint, values):
    with pytest.raises(Invalid) as caught:
        save_record(model, device, "X", {"is_active": True})

    needed = {problem.field for problem in caught.value.problems}
    assert needed == set(values) - {"password"}
    assert (owed(), model.objects.count()) == (0, 0)


def test_an_edit_under_way_is_sent_afterwards(device, save, kra):
    record = save().record
    kra.replies.append(lambda: save(name="Second") and save(name="Third") and said())

    deliver(device)

    names = [body["custNm"] for body in kra.sent["branch_customer_save"]]
    assert names == ["Mfano Hotel Ltd", "Third"]
    assert (fresh(record).name, fresh(record).state) == ("Third", "registered")


def test_an_edit_after_a_lost_answer_waits_for_the_first(device, save, kra):
    record = save().record
    kra.replies.append(OutcomeUnknown("read_timeout"))
    deliver(device)

    save(name="Second")
    assert fresh(record).state == "queued"
    deliver(device)
    deliver(device)

    names = [body["custNm"] for body in kra.sent["branch_customer_save"]]
    assert names == ["Mfano Hotel Ltd", "Mfano Hotel Ltd", "Second"]
    assert fresh(record).state == "registered"


def test_the_first_refusal_does_not_hide_the_second_try(device, save, kra):
    record = save().record
    kra.replies.append(lambda: save(name="Second") and said("910", "bad name"))

    deliver(device)

    assert (fresh(record).state, fresh(record).name) == ("registered", "Second")


def test_it_is_refused_with_cause_and_sent_again_on_request(device, save, kra):
    record = save().record
    kra.replies.append(said("910", "Request parameter error"))
    deliver(device)
    refused = fresh(record)
    assert (refused.state, refused.transmission.error_code) == ("refused", "910")
    assert save(**BUYER).verdict == "unchanged"

    retry_record(refused)
    deliver(device)

    assert fresh(record).state == "registered"
    assert len(kra.sent["branch_customer_save"]) == 2
    with pytest.raises(RecordNotRetryable):
        retry_record(fresh(record))


def test_kras_word_that_it_is_there_already_holds_up_nobody(device, save, kra):
    """Without a number there is no counter that a person could set right."""
    first, second = save().record, save(key="C-2").record
    kra.replies.append(said("994", "overlap"))

    deliver(device)

    assert (fresh(first).state, fresh(second).state) == ("refused", "registered")


def test_a_refused_repeat_proves_that_the_lost_try_arrived(device, save, kra):
    record = save().record
    kra.replies += [OutcomeUnknown("read_timeout"), said("994", "overlap")]

    deliver(device)
    deliver(device)

    assert fresh(record).state == "registered"


def test_a_retry_frees_the_version_that_holds_up_the_latest(device, save, kra):
    record = save().record
    kra.replies.append(Unavailable("connect_timeout"))
    deliver(device)
    later = timezone.now() + timedelta(hours=1)
    Transmission.objects.update(not_before=later)
    save(name="Second")

    retry_record(fresh(record))
    assert drain(lane_id_of(device.pk, "data"), until=time.monotonic() + 20)

    assert fresh(record).state == "registered"
    assert kra.sent["branch_customer_save"][-1]["custNm"] == "Second"


def test_it_survives_a_worker_that_dies(device, save, kra):
    record = save().record
    kra.replies.append(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        deliver(device)
    Transmission.objects.get().lane.__class__.objects.update(lease_until=None)

    deliver(device)
    deliver(device)

    assert fresh(record).state == "registered"
    first, second = kra.sent["branch_customer_save"]
    assert first == second


def test_no_password_is_at_rest(device, save, kra):
    save(BranchUser, "asha", name="Asha", password="s3cret-Word")
    kra.replies.append(Unavailable("connect_timeout"))
    deliver(device)
    deliver(device)

    assert [body["pwd"] for body in kra.sent["branch_user_save"]] == ["s3cret-Word"] * 2
    everywhere = [
        *Transmission.objects.values_list("body", "content", "error_message"),
        *Call.objects.values_list("request", "answer", "reason"),
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM sales_branchuser")
        everywhere += cursor.fetchall()
    text = repr([[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in everywhere])
    assert "s3cret-Word" not in text
    assert '"pwd":"***"' in Call.objects.earliest("id").request


def test_an_answer_that_repeats_the_password_is_masked(device, save, kra):
    save(BranchUser, "asha", name="Asha", password="s3cret-Word")
    echo = json.dumps({"resultCd": "000", "data": {"pwd": "s3cret-Word"}}).encode()
    kra.replies.append(Answer(status=200, body=echo, elapsed_ms=1))

    deliver(device)

    assert "s3cret-Word" not in Call.objects.get().answer


def test_a_user_without_a_password_gets_one_that_opens_nothing(device, save, kra):
    for name in ("asha", "brian"):
        save(BranchUser, name, name=name)
    deliver(device)

    first, second = (body["pwd"] for body in kra.sent["branch_user_save"])
    assert len(first) >= 32
    assert first != second


def test_a_new_password_alone_is_a_change(device, save, kra):
    save(BranchUser, "asha", name="Asha", password="one")
    deliver(device)

    assert save(BranchUser, "asha", password="two").verdict == "updated"
    deliver(device)

    assert [body["pwd"] for body in kra.sent["branch_user_save"]] == ["one", "two"]


def test_branches_keep_their_own(device, save, kra):
    branch = Branch.objects.create(company=device.company, code="01", name="Thika")
    other = shop.add_device(device.company, "dvc-2")
    Device.objects.filter(pk=other.pk).update(branch=branch)
    other = Device.objects.select_related("company", "branch").get(pk=other.pk)

    save(**BUYER)
    assert save(by=other, **BUYER).verdict == "created"

    deliver(other)
    assert [body["bhfId"] for body in kra.sent["branch_customer_save"]] == ["01"]


@pytest.fixture
def second(device):
    """Another device of the same branch."""
    return shop.add_device(device.company, "dvc-2")


def test_two_tills_of_a_branch_keep_the_order(device, second, save, kra):
    record = save().record
    kra.replies.append(lambda: save(by=second, name="Second") and said())

    deliver(device)
    assert fresh(record).state == "registered"

    save(by=second, name="Third")
    deliver(second)
    names = [body["custNm"] for body in kra.sent["branch_customer_save"]]
    assert names == ["Mfano Hotel Ltd", "Second", "Third"]
    assert fresh(record).device == second


@pytest.mark.parametrize("how", ["an edit", "a retry"])
def test_what_waits_on_an_idle_device_moves(device, second, save, kra, how):
    record = save().record
    Device.objects.filter(pk=device.pk).update(state="suspended")

    if how == "an edit":
        save(by=second, name="Second")
    else:
        retry_record(fresh(record))
    deliver(second)

    assert (fresh(record).state, fresh(record).device) == ("registered", second)
    statuses = Transmission.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["cancelled", "accepted"]


@pytest.mark.django_db(transaction=True)
def test_many_at_once_make_one_and_owe_it_once(device):
    def run(_):
        try:
            return save_record(Customer, device, "C-1", BUYER).verdict
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        verdicts = list(pool.map(run, range(8)))

    assert sorted(verdicts) == ["created"] + ["unchanged"] * 7
    assert (Customer.objects.count(), owed()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_edits_race_with_delivery_and_the_last_one_wins(device, kra):
    save_record(Customer, device, "C-1", BUYER)

    def edit(number):
        try:
            save_record(Customer, device, "C-1", {"name": f"Name {number}"})
        finally:
            connection.close()

    def bring(_):
        try:
            drain(lane_id_of(device.pk, "data"), until=time.monotonic() + 5)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(job, n) for n in range(12) for job in (edit, bring)]
        for job in jobs:
            job.result()
    deliver(device)

    record = Customer.objects.whole().get()
    assert record.state == "registered"
    assert kra.sent["branch_customer_save"][-1]["custNm"] == record.name
    assert not Transmission.objects.open().exists()
