"""An unknown outcome is asked about: adopt, send the same bytes again, or call a person."""

import json

import pytest
from django.utils import timezone

from devices.models import Call, Device
from devices.tests.fake_kra import answer, said, signed
from kra.errors import OutcomeUnknown, Unavailable
from outbox.delivery import look_up
from outbox.lanes import Lease
from outbox.models import Breaker, Lane, Status, Transmission

from .conftest import claimed
from .toy import NOT_HELD, PAGE, holds, verdicts

pytestmark = pytest.mark.django_db
LOST = OutcomeUnknown("read_timeout", "Nothing heard.")
SEQUENCE = "Invalid invcNo sequence, expected: {} but found: {}"


@pytest.fixture
def unknown(debt, deliver, pass_time, kra):
    """The first of two messages was sent, and its answer was lost."""
    row, _ = debt("R-1"), debt("R-2")
    kra.script(LOST)
    deliver()
    pass_time()
    kra.sent.clear()
    return row


def test_what_kra_holds_is_adopted(unknown, deliver, kra):
    kra.script(holds("R-1"), signed())

    deliver()

    unknown.refresh_from_db()
    assert (unknown.status, unknown.number, unknown.error_code) == (Status.ACCEPTED, 1, "")
    assert verdicts() == ["accepted R-1 found", "accepted R-2 ABCDEFGHIJKLMNOP"]
    assert kra.asked == ["invoice_details", "sales_save"]
    assert kra.sent[0].members == {"number": 1}
    assert Lane.objects.get().last_number == 2


def test_what_kra_does_not_hold_goes_again_unchanged(unknown, deliver, kra):
    first = Call.objects.get()
    kra.script(NOT_HELD, signed(), signed())

    deliver()

    unknown.refresh_from_db()
    assert (unknown.status, unknown.number, unknown.attempts) == (Status.ACCEPTED, 1, 3)
    assert kra.asked == ["invoice_details", "sales_save", "sales_save"]
    assert kra.sent[1].body.decode() == first.request
    attempts = Call.objects.filter(transmission=unknown.pk).order_by("pk")
    assert [(c.endpoint, c.attempt) for c in attempts] == [
        ("sales_save", 1),
        ("invoice_details", 2),
        ("sales_save", 3),
    ]


def test_another_document_under_our_number_calls_a_person(unknown, deliver, pass_time, kra):
    kra.script(holds("R-9"))

    deliver()
    pass_time()
    deliver()

    unknown.refresh_from_db()
    assert (unknown.status, unknown.error_code) == (Status.CONFLICT, "conflict")
    assert unknown.error_message == (
        "KRA holds another document under number 1: reference: KRA's R-9"
    )
    assert kra.asked == ["invoice_details"]
    assert verdicts() == []
    assert Lane.objects.get().last_number == 0


UNDECIDED = [
    ("nothing heard", OutcomeUnknown("read_timeout")),
    ("not sent", Unavailable("connect_failed")),
    ("gateway page", PAGE),
    ("refused", said("910", "bad question")),
    ("KRA's own trouble", said("999")),
    ("unknown code", said("777")),
    ("record cannot be read", holds(None)),
    ("no data", said("000")),
]


@pytest.mark.parametrize(("_case", "reply"), UNDECIDED)
def test_an_undecided_look_up_waits_and_asks_again(unknown, deliver, pass_time, kra, _case, reply):
    kra.script(reply)

    deliver()

    unknown.refresh_from_db()
    assert (unknown.status, unknown.error_code) == (Status.UNKNOWN, "read_timeout")
    assert unknown.not_before > timezone.now()
    assert verdicts() == []
    pass_time()
    kra.script(holds("R-1"), signed())
    deliver()
    unknown.refresh_from_db()
    assert unknown.status == Status.ACCEPTED
    assert kra.asked == ["invoice_details", "invoice_details", "sales_save"]


def test_a_look_up_by_a_refused_device_stops_it(unknown, deliver, kra):
    kra.script(said("902"))

    deliver()

    unknown.refresh_from_db()
    assert (unknown.status, Device.objects.get().state) == (Status.UNKNOWN, "refused")


def test_a_record_that_cannot_be_read_is_no_fault_of_the_host(
    unknown, deliver, pass_time, kra, settings
):
    settings.OUTBOX_BREAKER_THRESHOLD = 2
    for _ in range(4):
        kra.script(holds(None))
        deliver()
        pass_time()

    assert kra.asked == ["invoice_details"] * 4
    assert not Breaker.objects.filter(is_open=True).exists()


@pytest.mark.parametrize(
    ("_case", "verdict", "text"),
    [
        ("sequence", said("999", SEQUENCE.format(5, 1)), "KRA expects number 5"),
        ("duplicate", said("994", "dup"), "KRA said 994"),
    ],
)
def test_a_counter_out_of_step_calls_a_person(debt, deliver, pass_time, kra, _case, verdict, text):
    row = debt("R-1")
    kra.script(verdict)
    deliver()
    pass_time()
    kra.script(NOT_HELD)

    deliver()

    row.refresh_from_db()
    assert (row.status, row.error_code) == (Status.CONFLICT, "counter")
    assert row.error_message.startswith(f"{text}, yet it does not know our number 1.")


@pytest.mark.parametrize(
    ("_case", "verdict"),
    [("sequence", said("999", SEQUENCE.format(2, 1))), ("duplicate", said("994"))],
)
def test_a_duplicate_that_is_ours_is_adopted(debt, deliver, pass_time, kra, _case, verdict):
    row = debt("R-1")
    kra.script(verdict)
    deliver()
    pass_time()
    kra.script(holds("R-1"))

    deliver()

    row.refresh_from_db()
    assert row.status == Status.ACCEPTED


def test_a_worse_sequence_error_comes_with_the_gateways_own_envelope(debt, deliver, kra):
    row = debt("R-1")
    header = {"responseCode": 400, "customerMessage": SEQUENCE.format(7, 1)}
    kra.script(answer(json.dumps({"responseHeader": header}), status=400))

    deliver()

    row.refresh_from_db()
    assert (row.status, row.error_code, row.expected_number) == (
        Status.UNKNOWN, "invoice_sequence", 7,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("_case", "code"), [("system error", "999"), ("digits", "777"), ("letters", "E99")]
)
def test_one_verdict_again_and_again_is_handed_to_a_person(
    debt, deliver, pass_time, kra, _case, code
):
    row, behind = debt("R-1"), debt("R-2")
    for _ in range(3):
        kra.script(said(code, "no"), NOT_HELD)
    kra.script(said(code, "no"), NOT_HELD, signed())

    for _ in range(8):
        deliver()
        pass_time()

    row.refresh_from_db()
    behind.refresh_from_db()
    assert kra.asked == ["sales_save", "invoice_details"] * 4 + ["sales_save"]
    assert (row.status, row.error_code, row.finished_at is not None) == (Status.REFUSED, code, True)
    assert (behind.status, behind.number) == (Status.ACCEPTED, 1)
    assert verdicts() == [f"refused R-1 {code}", "accepted R-2 ABCDEFGHIJKLMNOP"]


def test_a_late_worker_hands_nothing_to_a_person(
    debt, deliver, pass_time, another_worker, kra, lane
):
    row = debt("R-1")
    for _ in range(3):
        kra.script(said("999"), NOT_HELD)
    kra.script(said("999"))
    for _ in range(4):
        deliver()
        pass_time()
    lease = Lease.take(lane.pk)
    assert lease is not None
    late = claimed(lease)
    kra.script(holds("R-1"))
    another_worker()

    kra.script(NOT_HELD)
    look_up(late)

    row.refresh_from_db()
    assert (row.status, verdicts()) == (Status.ACCEPTED, ["accepted R-1 found"])


def test_silence_is_never_taken_for_a_verdict(debt, deliver, pass_time, kra, settings):
    settings.OUTBOX_BREAKER_THRESHOLD = 100
    row = debt("R-1")
    for _ in range(8):
        kra.script(LOST, NOT_HELD)
    kra.script(signed())

    for _ in range(20):
        deliver()
        pass_time()

    row.refresh_from_db()
    assert (row.status, row.number, row.attempts) == (Status.ACCEPTED, 1, 17)
    assert len({sent.body for sent in kra.sent if sent.endpoint == "sales_save"}) == 1
    assert Transmission.objects.count() == 1
