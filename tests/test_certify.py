"""manage.py certify: KRA's 23 cases against the real simulator, killed, refused and resumed."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pypdf
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from companies.models import ApiToken
from companies.services import onboard_company
from devices.calls import exchange
from devices.models import Call, Device
from items.models import ImportLine, Item, Notice, StockLevel
from items.services import reconcile_stock
from items.services.stock_check import wrong_levels
from kra.requests import LETTERS, LetterAmount, PurchaseLine, PurchaseRequest
from kra.times import NAIROBI
from outbox.models import Lane, Transmission
from purchases.models import Purchase
from sales.models import BranchUser, Customer, Insurance, Receipt
from sales.reconciliation import runs

from .conftest import skip_backoff
from .test_crash import database_url

pytestmark = pytest.mark.django_db(transaction=True)

PIN, SERIAL = "A123456789Z", "CERT-0001"
ONE, NIL, NET, GROSS = Decimal(1), Decimal(0), Decimal(100), Decimal(116)
REFUSAL = "Request parameter error[<isrccNm> : may not be empty]"


def certify(folder: Path, **more):
    out = io.StringIO()
    call_command("certify", target="simulator", folder=str(folder), stdout=out, **more)
    return out.getvalue()


def fails(folder: Path, **more):
    """What it printed, and what it refused with."""
    out = io.StringIO()
    with pytest.raises(CommandError) as refusal:
        call_command("certify", target="simulator", folder=str(folder), stdout=out, **more)
    return out.getvalue(), str(refusal.value)


def verdict(folder: Path):
    return json.loads((folder / "verdict.json").read_text())


def row(folder: Path, case: str):
    facts = verdict(folder)
    return next(r for r in facts["results"] + facts["afterwards"] if r["case"] == case)


def asked(simulator, endpoint: str) -> int:
    """Calls of an endpoint that reached KRA, whatever became of them."""
    stats = simulator.call("GET", "stats")["endpoints"]
    return sum(stats.get(endpoint, {}).values())


@pytest.fixture
def asked_before(simulator):
    """The session's simulator counts on: what this test adds is the difference."""
    before = {name: asked(simulator, name) for name in ("init", "purchase_save", "import_update")}

    def count(endpoint: str) -> int:
        return asked(simulator, endpoint) - before[endpoint]

    return count


@pytest.mark.parametrize("profile", ["direct", "gavaconnect"])
def test_all_cases_pass(simulator, tmp_path, profile):
    onboard_company(
        pin=PIN, name="Baraka Stores", environment="simulator", profile=profile,
        head_office={"code": "00", "name": "Head office"},
    )  # fmt: skip

    printed = certify(tmp_path)

    facts = verdict(tmp_path)
    assert (facts["verdict"], facts["passed"], facts["cases"]) == ("passed", 23, 23)
    assert [r["case"] for r in facts["results"]][:3] == ["init", "code_list", "item_class_list"]
    assert printed.count(" left]") == 25  # 23, the item list once more, and the credit note
    held = simulator.ledger(PIN)
    assert [h["kind"] for h in held["invoices"]] == ["S", "R"]
    assert len(held["purchases"]) == 1
    assert Lane.objects.get(stream="purchase").last_number == 1
    assert not Transmission.objects.open().exists()


def test_it_keeps_each_exchange_and_no_key(simulator, tmp_path):
    certify(tmp_path)

    key = Device.objects.get().key
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(key) > 20
    assert not [text for text in texts if key.encode() in text]
    calls = {json.loads(path.read_text())["endpoint"] for path in (tmp_path / "calls").iterdir()}
    assert len(calls) == 23
    assert calls == set(Call.objects.values_list("endpoint", flat=True))


def test_it_lays_out_the_four_papers(simulator, tmp_path):
    certify(tmp_path, buyer_pin="P000000000B", buyer_name="Jamii Hardware Ltd")

    papers = {path.stem: words_of(path) for path in (tmp_path / "artefacts").iterdir()}
    sale, note = Receipt.objects.order_by("number")
    assert sorted(papers) == [
        *("1-item-creation", "2-invoice", "3-invoice-copy", "4-credit-note-copy"),
    ]
    assert "KE2CTNO0000001" in papers["1-item-creation"]
    assert str(sale) in papers["2-invoice"]
    assert "P000000000B" in papers["2-invoice"]
    assert "NOT AN OFFICIAL RECEIPT" not in papers["2-invoice"]
    assert "NOT AN OFFICIAL RECEIPT" in papers["3-invoice-copy"]
    assert " CS" in papers["3-invoice-copy"]
    assert str(note) in papers["4-credit-note-copy"]
    assert " CC" in papers["4-credit-note-copy"]


def words_of(path):
    """What a PDF says, each word on its own."""
    pages = pypdf.PdfReader(path).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def test_the_token_nobody_saw_is_revoked(simulator, tmp_path):
    certify(tmp_path)

    assert not ApiToken.objects.usable().exists()


def test_a_second_start_sends_nothing(simulator, tmp_path):
    certify(tmp_path)
    before = Call.objects.count()

    printed = certify(tmp_path)

    assert Call.objects.count() == before
    assert printed.count("passed before") == 24


def test_a_second_run_initialises_no_more(simulator, tmp_path, asked_before):
    certify(tmp_path / "first")

    certify(tmp_path / "second")

    assert asked_before("init") == 1
    assert "not repeated" in row(tmp_path / "second", "init")["message"]
    assert verdict(tmp_path / "second")["passed"] == 23


POINTS = ["key_stored", "list_answered", "sale_sent", "purchase_stored", "papers"]


@pytest.mark.parametrize("point", POINTS)
def test_it_goes_on_after_a_kill(simulator, tmp_path, point, asked_before):
    environment = os.environ | {"DATABASE_URL": database_url(), "KRA_SIMULATOR_URL": simulator.url}
    command = [sys.executable, "-m", "tests.certify_victim", point, str(tmp_path)]
    victim = subprocess.run(command, env=environment, capture_output=True, timeout=90, check=False)
    assert victim.returncode == -signal.SIGKILL, victim.stderr.decode()
    skip_backoff()

    certify(tmp_path)

    assert verdict(tmp_path)["passed"] == 23
    assert asked_before("init") == 1
    assert asked_before("purchase_save") == 1
    assert asked_before("import_update") == 1
    held = simulator.ledger(PIN)
    assert [h["kind"] for h in held["invoices"]] == ["S", "R"]
    assert len(held["items"]) == 3
    assert Lane.objects.get(stream="purchase").last_number == 1


def test_a_refused_case_fails_with_the_next_step(simulator, tmp_path):
    simulator.fault("refusal", "branch_insurance_save", message=REFUSAL, http_status=400)

    printed, refusal = fails(tmp_path)

    failed = row(tmp_path, "branch_insurance_save")
    assert (failed["verdict"], failed["code"] != "") == ("failed", True)
    assert failed["next_step"]
    assert failed["next_step"] in printed
    assert "To be done" in (tmp_path / "verdict.md").read_text()
    assert verdict(tmp_path)["passed"] == 22
    assert "start again" in refusal


def test_after_a_refusal_only_that_case_is_done_again(simulator, tmp_path):
    simulator.fault("refusal", "branch_insurance_save", message=REFUSAL, http_status=400)
    fails(tmp_path)
    before = Call.objects.count()

    certify(tmp_path)

    assert verdict(tmp_path)["passed"] == 23
    assert Call.objects.count() == before + 1


def test_cases_that_need_a_failed_one_wait_for_it(simulator, tmp_path):
    simulator.fault("refusal", "item_save", message="orgnNatCd cannot be null", count=3)

    fails(tmp_path)

    verdicts = {r["case"]: r["verdict"] for r in verdict(tmp_path)["results"]}
    assert verdicts["item_save"] == "failed"
    assert verdicts["sales_save"] == "skipped"
    assert verdicts["taxpayer_info"] == "passed"
    certify(tmp_path)
    assert verdict(tmp_path)["passed"] == 23
    assert len(simulator.ledger(PIN)["items"]) == 3


def test_a_refused_sale_is_corrected_at_the_next_start(simulator, tmp_path):
    text = "You dont have sufficient stock for this Transaction"
    simulator.fault("refusal", "sales_save", message=text)
    fails(tmp_path)
    assert row(tmp_path, "sales_save")["verdict"] == "failed"

    certify(tmp_path)

    assert [h["number"] for h in simulator.ledger(PIN)["invoices"]] == [1, 2]


def test_a_lost_answer_to_the_sale_is_looked_up(simulator, tmp_path):
    simulator.fault("lost_after", "sales_save")

    certify(tmp_path)

    assert [h["kind"] for h in simulator.ledger(PIN)["invoices"]] == ["S", "R"]


def test_a_purchase_whose_answer_was_lost_is_confirmed_once(simulator, tmp_path, asked_before):
    simulator.fault("lost_after", "purchase_save")

    certify(tmp_path)

    assert asked_before("purchase_save") == 2  # KRA's "taken" to the same bytes is the proof
    assert len(simulator.ledger(PIN)["purchases"]) == 1
    assert Lane.objects.get(stream="purchase").last_number == 1


def test_a_purchase_that_never_arrived_is_sent_again(simulator, tmp_path):
    simulator.fault("html", "purchase_save", status=502)

    certify(tmp_path)

    assert len(simulator.ledger(PIN)["purchases"]) == 1


def test_numbers_that_another_system_has_used_are_skipped(simulator, tmp_path):
    simulator.fault("result_code", "purchase_sales_list", code="001")
    fails(tmp_path)
    buy_elsewhere()

    certify(tmp_path)

    assert [one["number"] for one in simulator.ledger(PIN)["purchases"]] == [1, 2]
    assert Lane.objects.get(stream="purchase").last_number == 2


def buy_elsewhere() -> None:
    """Another system tells KRA of a purchase that KRA has not offered, under number 1."""
    device, item = Device.objects.select_related("company", "branch").get(), Item.objects.first()
    line = PurchaseLine(
        itemSeq=1, itemCd=item.code, itemClsCd=item.classification, itemNm=item.name,
        pkgUnitCd=item.packaging_unit, pkg=ONE, qtyUnitCd=item.quantity_unit, qty=ONE,
        prc=GROSS, splyAmt=GROSS, dcRt=NIL, dcAmt=NIL, taxblAmt=NET, taxTyCd="B",
        taxAmt=GROSS - NET, totAmt=GROSS,
    )  # fmt: skip
    rates = {letter: Decimal(16 if letter == "B" else 0) for letter in LETTERS}
    sums = {letter: (NET, GROSS - NET) if letter == "B" else (NIL, NIL) for letter in LETTERS}
    exchange(device, "purchase_save", PurchaseRequest(
        tin=PIN, bhfId="00", spplrTin=None, invcNo=1, orgInvcNo=0, spplrBhfId=None, spplrNm=None,
        spplrInvcNo=None, regTyCd="M", pchsTyCd="N", rcptTyCd="P", pmtTyCd="01", pchsSttsCd="02",
        cfmDt="20261001120000", pchsDt="20261001", totItemCnt=1,
        letters={one: LetterAmount(sums[one][0], rates[one], sums[one][1]) for one in LETTERS},
        totTaxblAmt=NET, totTaxAmt=GROSS - NET, totAmt=GROSS,
        regrId="x", regrNm="x", modrId="x", modrNm="x", itemList=[line],
    ).encode())  # fmt: skip


@pytest.mark.parametrize("profile", ["direct", "gavaconnect"])
def test_our_books_agree_with_kras_afterwards(simulator, tmp_path, profile):
    company, _, _ = onboard_company(
        pin=PIN, name="Baraka Stores", environment="simulator", profile=profile,
        head_office={"code": "00", "name": "Head office"},
    )  # fmt: skip
    certify(tmp_path)
    device = Device.objects.select_related("company", "branch").get()
    day = timezone.now().astimezone(NAIROBI).date()

    run = runs.start(device, day - timedelta(days=1), day, by="test")
    runs.advance(run.pk, until=time.monotonic() + 30)

    run.refresh_from_db()
    assert (run.verdict, run.reason) == ("matches", "")
    assert reconcile_stock(device) == []
    assert wrong_levels() == []
    ours = StockLevel.objects.filter(branch=device.branch).select_related("item")
    held = {one.item.code: (one.level, one.kra_level) for one in ours}
    # Opening 50, sold 2, one back, found 1, wasted 1; 100 imported and 5 bought.
    assert held["KE2CTNO0000001"] == (154, 154)
    ledger = simulator.ledger(PIN)
    assert ledger["stock"] == ledger["reported"]
    assert ledger["stock"] == {code: kras for code, (_, kras) in held.items()}
    assert set(ImportLine.objects.values_list("state", flat=True)) == {"approved", "offered"}
    assert Purchase.objects.filter(state="confirmed").count() == 1
    assert Customer.objects.get().state == BranchUser.objects.get().state == "registered"
    assert Insurance.objects.get().state == "registered"
    assert Notice.objects.exists()
    assert company.branches.count() == 2  # KRA's list names one more


def test_an_empty_list_that_counts_is_said_to_be_empty(simulator, tmp_path):
    simulator.fault("result_code", "notice_list", code="001")

    printed = certify(tmp_path)

    assert row(tmp_path, "notice_list")["verdict"] == "passed, empty"
    assert row(tmp_path, "branch_list")["verdict"] == "passed"
    assert "passed, empty 001" in printed
    page = (tmp_path / "verdict.md").read_text()
    assert "## Passed with an empty list" in page
    assert "- Notices\n" in page
    assert "To be done" not in page
    assert verdict(tmp_path)["passed"] == 23


def test_an_empty_import_list_does_not_count(simulator, tmp_path):
    simulator.fault("result_code", "import_list", code="001", count=None)

    fails(tmp_path)

    assert row(tmp_path, "import_list")["code"] == "001"
    assert "start again" in row(tmp_path, "import_list")["next_step"]
    assert row(tmp_path, "import_update")["verdict"] == "skipped"


# --- The initialisation works once ---


def test_an_installed_device_is_not_initialised_again(simulator, tmp_path, asked_before):
    simulator.fault("result_code", "init", code="902", count=None)

    fails(tmp_path)
    fails(tmp_path)

    failed = row(tmp_path, "init")
    assert failed["code"] == "902"
    assert "import_device_key" in failed["next_step"]
    assert asked_before("init") == 1
    assert verdict(tmp_path)["passed"] == 0


def test_a_lost_initialisation_is_not_repeated(simulator, tmp_path, asked_before):
    simulator.fault("lost_after", "init")

    fails(tmp_path)
    _, _ = fails(tmp_path)

    assert asked_before("init") == 1
    assert "init_device" in row(tmp_path, "init")["next_step"]


def test_a_serial_that_kra_does_not_know_may_be_tried_again(simulator, tmp_path, asked_before):
    simulator.fault("result_code", "init", code="901")
    fails(tmp_path)
    assert row(tmp_path, "init")["code"] == "901"

    certify(tmp_path)

    assert asked_before("init") == 2


# --- The folder and the hour ---


def age(folder: Path, hours: float) -> None:
    state = json.loads((folder / "state.json").read_text())
    state["started_at"] = (timezone.now() - timedelta(hours=hours)).isoformat()
    (folder / "state.json").write_text(json.dumps(state))


def test_it_stops_when_the_hour_is_over(simulator, tmp_path):
    simulator.fault("refusal", "branch_insurance_save", message=REFUSAL, http_status=400)
    fails(tmp_path)
    age(tmp_path, 1.01)

    _, refusal = fails(tmp_path)

    assert "hour is over" in refusal
    assert "new test session" in refusal


def test_a_folder_belongs_to_one_run(simulator, tmp_path):
    certify(tmp_path)

    _, refusal = fails(tmp_path, serial="OTHER-1")

    assert "serial: The folder holds a run of CERT-0001." in refusal


def test_a_broken_state_file_is_refused(simulator, tmp_path):
    (tmp_path / "state.json").write_text("{")

    _, refusal = fails(tmp_path)

    assert "state.json cannot be read" in refusal


def test_it_certifies_for_the_company_s_own_environment(simulator, tmp_path):
    onboard_company(
        pin=PIN, name="Baraka Stores", environment="sandbox", profile="direct",
        head_office={"code": "00", "name": "Head office"},
    )  # fmt: skip

    _, refusal = fails(tmp_path, company=PIN)

    assert "onboarded for sandbox" in refusal
    assert not Call.objects.exists()


def test_a_silent_simulator_is_named(settings, tmp_path):
    settings.KRA_SIMULATOR_URL = "http://127.0.0.1:9"
    settings.KRA_HOSTS = settings.KRA_HOSTS | {
        ("simulator", "direct"): ("http://127.0.0.1:9/etims-api", "")
    }

    _, refusal = fails(tmp_path)

    assert "No simulator answers" in refusal
    assert "--start-simulator" in refusal


@pytest.mark.slow
def test_it_starts_a_simulator_of_its_own(settings, tmp_path):
    settings.KRA_SIMULATOR_URL = ""

    certify(tmp_path, start_simulator=True)
    printed = certify(tmp_path, start_simulator=True)

    assert verdict(tmp_path)["passed"] == 23
    assert printed.count("passed before") == 24
    assert settings.KRA_SIMULATOR_URL == ""
