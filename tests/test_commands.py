"""manage.py for integrators: each command's happy path and main refusals, against the simulator."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from companies.models import ApiToken, Company
from companies.services import onboard_company
from devices.models import Device
from items.models import Item
from outbox.models import Lane
from sales.models import Invoice

from .conftest import ITEMS

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "A1B2C3D4E5F6A1B2C3D4E5F6"
LINES = [{"item": "KETTLE", "quantity": "1"}]


def run(name: str, *args: str, **options):
    out = io.StringIO()
    call_command(name, *args, stdout=out, **options)
    return out.getvalue()


def refused(name: str, *args: str, code: int = 1):
    out = io.StringIO()
    with pytest.raises(CommandError) as refusal:
        call_command(name, *args, stdout=out)
    assert refusal.value.returncode == code, refusal.value
    assert "Next: " in str(refusal.value)
    return str(refusal.value)


@pytest.fixture
def file(tmp_path):
    def write(content, name="file.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


@pytest.fixture
def company(transactional_db, simulator):
    made, _, _ = onboard_company(
        pin="A123456789Z", name="Baraka Stores", environment="simulator", profile="direct",
        head_office={"code": "00", "name": "Head office"},
    )  # fmt: skip
    return made


# --- onboard ---

ONBOARD = (
    *("--pin", "A123456789Z", "--name", "Baraka Stores", "--environment", "simulator"),
    *("--branch", "00"),
)


def test_onboard_prints_the_token_once(transactional_db):
    printed = run("onboard", *ONBOARD)

    secret = printed.splitlines()[-1]
    assert printed.count(secret) == 1
    assert ApiToken.objects.get().hash == ApiToken.hash_of(secret)
    assert Company.objects.get().branches.get().code == "00"
    assert "already" not in printed
    assert "exists already" in refused("onboard", *ONBOARD)


def test_onboard_names_the_faulty_field(transactional_db):
    wrong = [argument.replace("A123456789Z", "A12") for argument in ONBOARD]

    assert "  pin: " in refused("onboard", *wrong)
    assert not Company.objects.exists()


def test_onboard_reads_gateway_keys_from_a_file_only(transactional_db, file):
    keys = {"consumer_key": "ck-1", "consumer_secret": "cs-never-shown", "app_id": "app"}
    where = [argument.replace("simulator", "sandbox") for argument in ONBOARD]
    where += ["--profile", "gavaconnect"]
    assert "credentials are missing" in refused("onboard", *where)

    printed = run("onboard", *where, "--gateway-keys", file(keys))

    assert Company.objects.get().consumer_secret == "cs-never-shown"
    assert "cs-never-shown" not in printed


# --- Devices ---


def test_init_device_keeps_the_key(company, simulator):
    simulator.approve(company.pin, "00", "dvcv1130")

    printed = run("init_device", "dvcv1130", "--branch", "00")

    device = Device.objects.get()
    assert device.state == "active"
    assert device.scu_id in printed
    assert device.key not in printed
    assert "is active" in run("init_device", "dvcv1130", "--branch", "00")


def test_init_device_says_what_to_do_about_902(company, simulator):
    simulator.fault("result_code", "init", code="902")

    assert "import_device_key" in refused("init_device", "dvcv1130", "--branch", "00")


@pytest.mark.parametrize(
    ("_case", "args", "words"),
    [
        ("no such branch", ["dvcv1130", "--branch", "07"], "it has 00"),
        ("odd serial", ["a b", "--branch", "00"], "  serial: "),
        (
            "no such company",
            ["dvcv1130", "--branch", "00", "--company", "B000000000B"],
            "manage.py onboard",
        ),
    ],
)
def test_init_device_refuses(company, _case, args, words):
    assert words in refused("init_device", *args)
    assert not Device.objects.exists()


IMPORT = ("dvcv1130", "--branch", "00", "--scu-id", "KRACU0100000001")


def test_import_device_key_reads_a_file(company, file):
    printed = run("import_device_key", *IMPORT, "--key-file", file(f"{KEY}\n"))

    device = Device.objects.get()
    assert (device.state, device.key) == ("active", KEY)
    assert KEY not in printed
    assert "Suspend it first" in refused("import_device_key", *IMPORT, "--key-file", file(KEY))


def test_import_device_key_reads_standard_input(company, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(KEY.encode())))

    run("import_device_key", *IMPORT)

    assert Device.objects.get().key == KEY


def test_import_device_key_never_repeats_a_faulty_key(company, file):
    text = refused("import_device_key", *IMPORT, "--key-file", file("two words of a key"))

    assert "  key: " in text
    assert "two words" not in text
    assert "cannot be read" in refused("import_device_key", *IMPORT, "--key-file", "/nowhere")


# --- Items ---


def test_sync_items_registers_them(shop, file):
    fresh = [ITEMS[0] | {"sku": "KETTLE2"}, ITEMS[1]]

    printed = run("sync_items", file(fresh))

    assert "KETTLE2: created registered" in printed
    assert "SEED: unchanged registered" in printed
    assert Item.objects.get(sku="KETTLE2").registered_at is not None


def test_sync_items_gives_a_verdict_per_row(shop, file):
    rows = {"items": [ITEMS[0] | {"sku": "GOOD"}, {"sku": "BAD"}]}

    text = refused("sync_items", file(rows))

    assert "1 of 2 rows were refused" in text
    assert Item.objects.filter(sku="GOOD").exists()
    assert not Item.objects.filter(sku="BAD").exists()


@pytest.mark.parametrize("content", ["", "[", '{"goods": []}', '"text"'])
def test_sync_items_refuses_a_file_that_is_none(shop, file, content):
    refused("sync_items", file(content))

    assert Item.objects.count() == len(ITEMS)


# --- Sales ---


def test_send_sale_prints_the_receipt(shop, file):
    sale = file({"reference": "T-1", "lines": LINES})

    printed = run("send_sale", sale)

    (held,) = shop.ledger()
    assert "CU INVOICE NUMBER: KRACU01" in printed
    assert held["reference"] == "T-1"
    assert "1/1 NS" in printed
    assert "1/1 CS" in run("send_sale", sale)
    assert len(shop.ledger()) == 1


def test_send_sale_may_leave_it_to_the_workers(shop, file):
    printed = run("send_sale", file({"reference": "T-1", "lines": LINES}), "--wait", "0")

    assert printed == "T-1 is stored: queued.\n"
    assert not shop.ledger()


def test_send_sale_ends_with_3_while_kra_is_silent(shop, file):
    shop.simulator.outage(True)

    text = refused("send_sale", file({"reference": "T-1", "lines": LINES}), "--wait", "0.5", code=3)

    assert "manage.py invoice T-1" in text
    assert Invoice.objects.get().reference == "T-1"


def test_send_sale_ends_with_1_when_kra_refuses(shop, file):
    text = "You dont have sufficient stock for this Transaction"
    shop.simulator.fault("refusal", message=text)

    assert "T-1 is refused" in refused("send_sale", file({"reference": "T-1", "lines": LINES}))


@pytest.mark.parametrize(
    ("_case", "content", "words"),
    [
        ("no reference", {"lines": LINES}, "  reference: "),
        ("unknown item", {"reference": "T-1", "lines": [{"item": "X", "quantity": "1"}]}, "item"),
        ("unknown device", {"reference": "T-1", "device": "nope", "lines": LINES}, "'nope'"),
        ("no JSON", "{", "JSON"),
    ],
)
def test_send_sale_refuses(shop, file, _case, content, words):
    assert words in refused("send_sale", file(content))
    assert not Invoice.objects.exists()


def test_send_sale_asks_which_device(shop, file):
    Device.objects.create(
        company=shop.company, branch=shop.device.branch, serial="till-2", state="active", key=KEY
    )

    assert "--device SERIAL" in refused("send_sale", file({"reference": "T-1", "lines": LINES}))


# --- Looking and mending ---


def test_invoice_shows_state_calls_and_next_step(shop):
    shop.simulator.fault("refusal", message="You dont have sufficient stock for this Transaction")
    sale = shop.sell("T-1")
    shop.deliver()

    printed = run("invoice", "T-1")

    assert "sale T-1" in printed
    assert "refused" in printed
    assert "  cause: " in printed
    assert "manage.py void T-1" in printed
    assert "sales_save: rejected" in printed
    assert run("invoice", str(sale.pk)) == printed
    assert "There is no sale" in refused("invoice", "T-9")


def test_invoice_names_the_one_that_holds_it_up(shop):
    shop.simulator.fault("lost_after", count=None)
    shop.simulator.fault("result_code", "invoice_details", code="999", count=None)
    shop.sell("T-1"), shop.sell("T-2")
    shop.deliver(until_empty=False)

    assert "held up by: T-1" in run("invoice", "T-2")


def test_drain_delivers_what_is_due(shop):
    sale = shop.sell("T-1")

    printed = run("drain")

    assert f"{shop.device.serial}/fiscal: 1 accepted, 0 waiting" in printed
    assert shop.status(sale) == "signed"
    run("drain", "--device", shop.device.serial)
    assert run("drain") == "Nothing is due.\n"


def test_drain_one_lane_only(shop):
    shop.sell("T-1")

    run("drain", "--lane", str(shop.lane.pk))

    assert len(shop.ledger()) == 1
    assert "There is no lane 0" in refused("drain", "--lane", "0")


def test_drain_ends_with_3_when_something_waits(shop):
    shop.sell("T-1")
    shop.simulator.outage(True)

    refused("drain", "--lane", str(shop.lane.pk), code=3)


def test_lane_shows_counter_head_and_backlog(shop):
    shop.sell("T-1"), shop.sell("T-2")

    printed = run("lane", shop.device.serial)

    assert f"fiscal (lane {shop.lane.pk}): last number 0" in printed
    assert "  waiting: 2, the oldest " in printed
    assert "  head: sale T-1 queued, 0 attempts" in printed
    assert "  worker: none" in printed
    assert "no device 'nope'" in refused("lane", "nope")


def test_lane_says_why_it_stands(shop):
    shop.sell("T-1")
    Device.objects.filter(pk=shop.device.pk).update(state="suspended", state_reason="stolen")

    printed = run("lane", shop.device.serial)

    assert "state suspended stolen" in printed
    assert "  blocked: device. Next: " in printed


def test_void_gives_up_a_sale_that_was_never_sent(shop):
    sale = shop.sell("T-1")

    assert run("void", "T-1", "--reason", "rung up twice") == "T-1 is voided.\n"
    assert shop.status(sale) == "voided"
    assert "reason given: rung up twice" in run("invoice", "T-1")


def test_void_refuses_a_signed_sale_and_an_empty_reason(shop):
    sale = shop.sell("T-1")
    assert "  reason: " in refused("void", "T-1", "--reason", "")
    shop.deliver()

    assert "signed" in refused("void", "T-1", "--reason", "rung up twice")
    assert shop.status(sale) == "signed"


def test_retry_brings_a_waiting_sale_forward(shop):
    shop.simulator.fault("result_code", code="990")
    sale = shop.sell("T-1")
    shop.deliver(until_empty=False)
    assert shop.status(sale) == "queued"

    printed = run("retry", "T-1", "--wait", "5")

    assert shop.status(sale) == "signed"
    assert "signed" in printed
    assert "nothing to retry" in refused("retry", "T-1")


def test_resync_counter_asks_kra_first(shop):
    shop.sell("T-1")
    shop.deliver()
    Lane.objects.filter(pk=shop.lane.pk).update(last_number=0)
    to = (shop.device.serial, "--reason", "backup restored", "--to")

    assert "KRA does not know number 7" in refused("resync_counter", *to, "7")
    assert shop.lane.last_number == 0
    printed = run("resync_counter", *to, "1")

    assert "last number 0 -> 1" in printed
    assert shop.lane.last_number == 1
    assert "counter starts at 1" in refused("resync_counter", *to, "1", "--stream", "purchase")


def test_two_companies_must_be_told_apart(open_shop):
    open_shop(), open_shop(pin="B123456789Z")

    assert "--company PIN" in refused("lane", "dvcv1130")
    assert "B123456789Z" in run("lane", "dvcv1130", "--company", "B123456789Z")


@pytest.mark.parametrize(
    "name",
    [
        *("onboard", "init_device", "import_device_key", "sync_items", "send_sale", "invoice"),
        *("drain", "lane", "void", "retry", "resync_counter", "certify"),
    ],
)
def test_help_explains_each_command(name, capsys):
    with pytest.raises(SystemExit) as end:
        call_command(name, "--help")

    assert end.value.code == 0
    assert len(capsys.readouterr().out) > 600
