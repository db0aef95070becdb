"""KRA's lists, and the tax rates that come with them."""

from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from items import rates, tasks
from items.models import Classification, Code, Item, SyncState, TaxRate
from items.rates import rates_on
from items.services import approve_rate, introduce, sync_codes
from kra.errors import KRAError

from .fake_kra import LOST, NOTHING, RATES, SILENCE, accepted, code_class, published, tree

SUNDAY = date(2026, 11, 22)
PUBLISHED = {"A": 0, "B": 16, "C": 0, "D": 0, "E": 0}


@pytest.fixture
def pull(kra, till):
    def run(codes=None, classes=None):
        kra.replies["code_list"] = [codes or published()]
        kra.replies["item_class_list"] = [classes or tree("1000000000")]
        return sync_codes(till)

    return run


def test_it_copies_kras_lists(pull):
    assert pull() == {"codes": "changed", "classifications": "changed"}

    code = Code.objects.get(class_id="04", code="B")
    assert (code.environment, code.name, code.extra1) == ("simulator", "Code B", "16")
    assert (code.is_active, code.sort) == (True, 2)
    assert Classification.objects.get().code == "1000000000"


def test_it_asks_for_what_changed_since_kras_last_answer(pull, kra):
    pull(codes=published(at="20261122101500"))
    pull(codes=NOTHING)

    assert [b["lastReqDt"] for b in kra.bodies("code_list")] == ["20180101000000", "20261122101500"]


@pytest.mark.parametrize(
    ("_case", "codes", "classes"),
    [
        ("nothing new", NOTHING, NOTHING),
        ("the whole list again", published(at="20261123101500"), tree("1000000000")),
    ],
)
def test_it_writes_no_list_when_nothing_changed(pull, _case, codes, classes):
    pull()

    with CaptureQueriesContext(connection) as queries:
        outcome = pull(codes=codes, classes=classes)

    assert outcome == {"codes": "unchanged", "classifications": "unchanged"}
    written = [q["sql"] for q in queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    lists = ('"items_code"', '"items_classification"', '"items_taxrate"')
    assert [sql for sql in written if any(name in sql for name in lists)] == []


def test_it_writes_only_the_rows_that_changed(pull):
    pull(classes=tree("1000000000"))
    before = Code.objects.get(class_id="10", code="NO").changed_at

    pull(codes=published({**RATES, "B": "18"}), classes=tree("1000000000", "2000000000"))

    assert Code.objects.get(class_id="10", code="NO").changed_at == before
    assert Code.objects.get(class_id="04", code="B").changed_at > before
    assert Classification.objects.count() == 2


def test_it_uses_the_published_rates_before_the_first_pull(db):
    assert rates_on("simulator", SUNDAY) == PUBLISHED


def test_it_uses_kras_first_rates_at_once(pull):
    pull(codes=published({**RATES, "E": "8"}))

    assert rates_on("simulator", SUNDAY) == {**PUBLISHED, "E": 8}
    assert rates_on("simulator", date(2025, 1, 1))["E"] == 8
    assert rates_on("sandbox", SUNDAY)["E"] == 0


def test_it_holds_a_changed_rate_until_a_person_approves(pull):
    pull()
    pull(codes=published({**RATES, "B": "18"}, at="20261122101500"))
    assert rates_on("simulator", SUNDAY)["B"] == 16
    assert str(TaxRate.objects.held().get()) == "B 18.00 % from 2026-11-22"

    approve_rate(environment="simulator", letter="B", valid_from=date(2026, 12, 1))
    rates.forget()
    assert rates_on("simulator", date(2026, 11, 30))["B"] == 16
    assert rates_on("simulator", date(2026, 12, 1))["B"] == 18


def test_it_forgets_a_change_that_kra_took_back(pull):
    pull()
    pull(codes=published({**RATES, "B": "18"}))

    pull(codes=published(RATES, at="20261124101500"))

    assert not TaxRate.objects.held().exists()
    assert TaxRate.objects.count() == 5


def test_it_ignores_rates_that_are_none(pull):
    pull(codes=published({"A": "0", "B": None, "C": "many", "D": "100", "Z": "5"}))

    assert rates_on("simulator", SUNDAY) == PUBLISHED
    assert list(TaxRate.objects.values_list("letter", flat=True)) == ["A"]


def test_it_replaces_a_rate_of_the_same_day(pull):
    pull()
    for rate in ("18", "17"):
        pull(codes=published({**RATES, "B": rate}))
        approve_rate(environment="simulator", letter="B", valid_from=SUNDAY)

    rates.forget()
    assert rates_on("simulator", SUNDAY)["B"] == 17
    assert TaxRate.objects.filter(letter="B").count() == 2


def test_it_keeps_the_last_of_two_rows_with_one_code(pull):
    twice = code_class("10", {"NO": None})
    twice["dtlList"] *= 2
    twice["dtlList"][1] = {**twice["dtlList"][0], "cdNm": "Number"}

    pull(codes=accepted({"clsList": [twice]}))

    assert Code.objects.get().name == "Number"


def test_it_reads_rates_once_in_a_while(pull):
    pull()
    rates_on("simulator", SUNDAY)

    with CaptureQueriesContext(connection) as queries:
        rates_on("simulator", SUNDAY)

    assert len(queries) == 0


def test_it_keeps_the_old_lists_when_kra_fails(pull, kra, till):
    pull()
    kra.replies["code_list"] = [LOST]

    with pytest.raises(KRAError):
        sync_codes(till)

    assert Code.objects.count() == 13
    assert rates_on("simulator", SUNDAY) == PUBLISHED


def test_it_introduces_a_device_once(alpha, till, kra):
    first, second = introduce(alpha, till), introduce(alpha, till)

    assert (first.state, second.state) == ("pulled", "known")
    names = [name for name, _ in kra.sent]
    assert names == ["code_list", "item_class_list", "item_list"]


def test_it_does_not_knock_again_at_once(alpha, till, kra):
    kra.replies["code_list"] = [SILENCE, SILENCE]

    first, second = introduce(alpha, till), introduce(alpha, till)

    assert (first.state, second.state) == ("failed", "skipped")
    assert len(kra.sent) == 1


def test_it_asks_nothing_without_a_device(company, kra):
    assert introduce(company("C000000003Z", "Late Stores"), None).state == "skipped"
    assert kra.sent == []


def test_it_pulls_through_one_device_and_introduces_the_others(alpha, beta, device, kra, settings):
    device(alpha, "alpha-2", branch="01")
    tasks.sync_codes()
    settings.LISTS_MAX_AGE_HOURS = 0
    tasks.sync_codes()

    branches = [(b["tin"], b["bhfId"]) for b in kra.bodies("item_class_list")]
    first = ("A000000001Z", "00")
    assert branches == [first, ("B000000002Z", "00"), ("A000000001Z", "01"), first]


def test_it_survives_a_silent_kra_in_the_background(alpha, kra):
    kra.replies["code_list"] = [SILENCE, SILENCE]

    tasks.sync_codes()

    assert not SyncState.objects.exists()


def test_it_owes_drafts_in_the_background(company, device, sync):
    late = company("C000000003Z", "Late Stores")
    sync("A", company=late)
    device(late, "late-1")

    tasks.sync_codes()

    assert Item.objects.get(company=late).state == "queued"


def test_it_pulls_by_command(alpha, kra, capsys):
    kra.replies["code_list"] = [published()]

    call_command("sync_codes", company="A000000001Z")

    assert capsys.readouterr().out.splitlines()[-2:] == [
        "codes: changed",
        "classifications: unchanged",
    ]
    Device.objects.update(state="suspended")
    with pytest.raises(CommandError, match="no active device"):
        call_command("sync_codes", company="A000000001Z")


def test_it_approves_by_command(pull, capsys):
    pull()
    pull(codes=published({**RATES, "B": "18"}))
    capsys.readouterr()

    call_command("approve_tax_rate")
    call_command("approve_tax_rate", environment="simulator", letter="B")
    call_command("approve_tax_rate")

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "simulator: B 18.00 % from 2026-11-22, not approved"
    assert lines[1:] == ["simulator: B 18.00 % from 2026-11-22", "No rate waits for approval."]
    with pytest.raises(CommandError, match="No change of B waits"):
        call_command("approve_tax_rate", environment="simulator", letter="B")
