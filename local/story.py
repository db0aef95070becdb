"""The demo's story over plain HTTP: a company, a device, items, a signed sale, a credit note.

It asks for nothing that a POS developer could not ask for. A kept shop is opened again.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from local import facts, shop
from local.api import Api
from local.console import Problem, say, step
from local.paths import ROOT, STATE

WAIT_S = 20
WORKER_TIMEOUT_S = 60.0
LOOK_EVERY_S = 0.1


def tell(url: str, simulator_url: str) -> None:
    """Tell it on this terminal. Raises Problem where it breaks off."""
    simulator = Api(simulator_url)
    known = reopen(url, simulator) or open_shop(url)
    till = Api(url, known["token"])
    facts.write(known)  # at once: the token is shown only once
    file = facts.write_shell_file(url, known)
    step(f"company    {shop.COMPANY}, PIN {known['pin']}; its token is in {file.relative_to(ROOT)}")
    install(till, simulator, known)
    stock_up(till, known)
    sale = sell(till, known)
    note = give_back(till, sale)
    keep_a_copy(till, sale)
    count_the_day(till, known)
    ids = {"sale": sale["id"], "credit_note": note["id"]}
    facts.write(known | ids | {"receipt_url": sale["links"]["public"]})


def reopen(url: str, simulator: Api) -> dict[str, Any] | None:
    """The kept shop, if its token works and both sides agree about its device."""
    known = facts.read()
    if not {"token", "platform_token", "pin", "branch", "device"} <= known.keys():
        return None
    answer = Api(url, known["token"]).ask("GET", "/api/devices/")
    if answer.status != 200:
        return None
    ours = any(device["state"] == "active" for device in answer.body["results"])
    approved = simulator.get("/_simulator/devices")["devices"]
    theirs = any(one["pin"] == known["pin"] and one["initialised"] for one in approved)
    return known | {"platform_token": facts.operator_token()} if ours == theirs else None


def open_shop(url: str) -> dict[str, Any]:
    """Onboard the company; another one when the PIN is taken by a shop that we lost."""
    operator = Api(url, facts.operator_token())
    answer = operator.ask("POST", "/api/company/onboard/", shop.company(shop.PIN))
    body = answer.body
    if answer.status != 201:
        body = operator.post("/api/company/onboard/", shop.company(shop.new_pin()))
    return {
        "token": body["token"],
        "platform_token": operator.token,
        "pin": body["company"]["pin"],
        "branch": body["branch"]["code"],
        "device": shop.SERIAL,
    }


def install(till: Api, simulator: Api, known: Mapping[str, Any]) -> None:
    """What is done once per device: approval, initialisation, keys; then a test call."""
    serial, branch = known["device"], known["branch"]
    # KRA approves a device in its portal; the simulator does so on request.
    approval = {"pin": known["pin"], "branch": branch, "serial": serial, "name": shop.COMPANY}
    simulator.post("/_simulator/devices", approval)
    device = till.post("/api/device/init/", {"serial": serial, "branch": branch})
    step(f"device     {serial} is {device['state']}, control unit {device['scu_id']}")
    fingerprint = device["signing_key"]
    if not fingerprint:
        fingerprint = till.post(f"/api/device/{serial}/generate-keys/")["fingerprint"]
    step(f"keys       Ed25519, fingerprint {fingerprint[:16]}…")
    test = till.post("/api/device/test-connection/", {"serial": serial})
    said = "; ".join(check["message"].rstrip(".") for check in test["checks"])
    step(f"connection {test['verdict']}: {said}")


def stock_up(till: Api, known: Mapping[str, Any]) -> None:
    """The strict profile sells only what KRA knows, and what its books say is there."""
    body = {"device": known["device"], "items": shop.catalogue()}
    till.post("/api/item/sync/", body, wait=WAIT_S)
    wait_until("the items are registered", lambda: are_registered(till))
    step("items      registered with KRA")
    wait_until("KRA has the opening stock", lambda: is_stocked(till))
    step("stock      the opening stock is at KRA")


def wait_until(what: str, holds: Callable[[], bool]) -> None:
    """A worker brings it there."""
    deadline = time.monotonic() + WORKER_TIMEOUT_S
    while not holds():
        if time.monotonic() > deadline:
            raise Problem(f"After {WORKER_TIMEOUT_S:.0f} s it is not yet so that {what}.")
        time.sleep(LOOK_EVERY_S)


def are_registered(till: Api) -> bool:
    rows = till.get("/api/items/")["results"]
    for row in rows:
        if row["state"] == "refused":
            raise Problem(f"KRA refused the item {row['sku']}: {row['trouble']}")
    registered = {row["sku"] for row in rows if row["state"] == "registered"}
    return {row["sku"] for row in shop.catalogue()} <= registered


def is_stocked(till: Api) -> bool:
    rows = till.get("/api/stock/")["results"]
    levels = {row["item"]: row["levels"] for row in rows}
    goods = [levels.get(row["sku"], []) for row in shop.GOODS]
    return all(any(Decimal(level["kra_level"]) >= 10 for level in one) for one in goods)


def sell(till: Api, known: Mapping[str, Any]) -> dict[str, Any]:
    reference = f"DEMO-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    body = shop.sale(reference, known["device"])
    return signed("sale", till, till.post("/api/sales/", body, wait=WAIT_S))


def give_back(till: Api, sale: Mapping[str, Any]) -> dict[str, Any]:
    body = shop.credit_note(sale["reference"], sale["device"])
    return signed("credit", till, till.post("/api/credit-notes/", body, wait=WAIT_S))


def signed(name: str, till: Api, invoice: dict[str, Any]) -> dict[str, Any]:
    """Print the receipt of what KRA has signed."""
    if invoice["status"] != "signed":
        raise Problem(f"The {name} is {invoice['status']}: {invoice['trouble']}")
    number = invoice["receipt"]["cu_invoice_number"]
    step(f"{name:10} {invoice['reference']} is signed: {number}, KES {invoice['total']}")
    receipt = till.ask("GET", invoice["links"]["receipt"])
    say("\n" + "\n".join(f"      {line}" for line in receipt.body.splitlines()) + "\n")
    return invoice


def keep_a_copy(till: Api, sale: Mapping[str, Any]) -> None:
    """Printed once above, so this second print is a copy and says so."""
    pdf = till.download(f"/api/invoices/{sale['id']}/receipt.pdf")
    file = facts.write_receipt(pdf)
    step(f"copy       the sale's receipt once more, as a PDF: {file}")


def count_the_day(till: Api, known: Mapping[str, Any]) -> None:
    report = till.get(f"/api/reports/x/?device={known['device']}")
    sales, notes = report["sales"], report["credit_notes"]
    step(
        f"X report   not in a Z yet: sales {sales['count']} (KES {sales['total']}), "
        f"credit notes {notes['count']} (KES {notes['total']})"
    )


def addresses(
    url: str, simulator_url: str, password: str, known: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Where to look next. Tokens stay in their files: a terminal is often recorded."""
    found = [
        ("API docs", f"{url}/api/docs/"),
        ("admin", f"{url}/admin/  (admin / {password})"),
        ("dashboard", f"{url}/dashboard/  (the same account)"),
        ("simulator", f"{simulator_url}/"),
        ("health", f"{url}/health/"),
    ]
    if "receipt_url" in known:
        found += [
            ("receipt", f"{known['receipt_url']}  (the buyer's page)"),
            ("", f"{STATE / facts.RECEIPT_FILE}"),
        ]
    if "token" in known:
        found += [
            ("API", f". .local/{facts.SHELL_FILE}"),
            ("", 'curl -H "Authorization: Token $ETIMS_TOKEN" $ETIMS_URL/api/dashboard/'),
            ("", f"also /api/invoices/{known.get('sale', '')}, /api/logs/, /api/stock/"),
        ]
    return found
