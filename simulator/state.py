"""What KRA knows: taxpayers, devices and what they sent.

Every change is one document. `World.record` stores it and applies it to memory; a restart
applies the stored documents again in their order, through the same functions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from simulator import wire
from simulator.store import Row, Store

Document = dict[str, Any]
RATES = {"A": "0", "B": "16", "C": "0", "D": "0", "E": "0"}
FIRST_DAY = "20240101000000"  # registration time of what was always there


@dataclass(slots=True)
class Invoice:
    """A stored sale or credit note. The full document stays encoded until somebody asks."""

    number: int
    original: int
    kind: str
    total: Decimal
    tax: Decimal
    buyer_pin: str | None
    buyer_name: str | None
    reference: str | None
    signature: str
    receipt_number: int
    signed_at: str
    document: bytes


@dataclass(slots=True)
class Device:
    """One control unit: the device of one branch."""

    pin: str
    branch: str
    serial: str
    ordinal: int
    name: str = ""
    kind: str = "oscu"
    mode: str = "strict"
    cmc_key: str = ""
    inits: int = 0
    classes_requested: bool = False
    approved_at: str = FIRST_DAY
    invoices: dict[int, Invoice] = field(default_factory=dict)
    receipts: dict[str, int] = field(default_factory=lambda: {"S": 0, "R": 0})
    purchases: dict[int, Document] = field(default_factory=dict)
    movements: dict[int, str] = field(default_factory=dict)  # number -> when
    stock: dict[str, Decimal] = field(default_factory=dict)
    reported: dict[str, Decimal] = field(default_factory=dict)
    saved: dict[str, dict[str, Document]] = field(default_factory=dict)  # customers, users, …
    last_invoice: int = 0
    last_purchase: int = 0
    last_movement: int = 0

    @property
    def control_unit(self) -> str:
        return f"KRACU01{self.ordinal:08d}"

    @property
    def machine(self) -> str:
        return f"KRA{self.ordinal:08d}"


@dataclass(slots=True)
class Taxpayer:
    """What belongs to the PIN, not to a branch."""

    pin: str
    name: str = ""
    items: dict[str, Document] = field(default_factory=dict)
    last_item: int = 0
    compositions: dict[str, Document] = field(default_factory=dict)
    imports: dict[str, Document] = field(default_factory=dict)
    offers: dict[str, Document] = field(default_factory=dict)
    bought: list[tuple[tuple[str, str], int]] = field(default_factory=list)  # device, number
    transfers: list[Document] = field(default_factory=list)


class World:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._forget()
        for row in store.rows():
            self._apply(row, wire.decode(row[-1]))

    def _forget(self) -> None:
        self.devices: dict[tuple[str, str], Device] = {}
        self.taxpayers: dict[str, Taxpayer] = {}
        self.names: dict[str, str] = {}  # registered names for PIN look-ups
        self.rates = {letter: Decimal(rate) for letter, rate in RATES.items()}
        self.rates_changed = FIRST_DAY

    def reset(self) -> None:
        self._store.clear()
        self._forget()

    def record(self, kind: str, pin: str, branch: str, key: str, document: Document) -> None:
        row = (kind, pin, branch, key, wire.encode(document))
        self._store.put(row)
        self._apply(row, document)

    async def committed(self) -> None:
        await self._store.committed()

    def taxpayer(self, pin: str) -> Taxpayer:
        found = self.taxpayers.get(pin)
        if found is None:
            found = self.taxpayers[pin] = Taxpayer(pin)
        return found

    def save_device(self, device: Device) -> None:
        document = {name: getattr(device, name) for name in _DEVICE}
        self.record("device", device.pin, device.branch, "", document)

    def _apply(self, row: Row, document: Document) -> None:
        kind, pin, branch, key, raw = row
        if kind in _OF_DEVICE:
            _OF_DEVICE[kind](self, self.devices[pin, branch], key, document, raw)
        else:
            _OF_TAXPAYER[kind](self, pin, key, document)


_DEVICE = (
    "pin", "branch", "serial", "ordinal", "name", "kind", "mode", "cmc_key", "inits",
    "classes_requested", "approved_at",
)  # fmt: skip


def _device(world: World, pin: str, key: str, document: Document) -> None:
    known = world.devices.get((pin, document["branch"]))
    if known is None:
        world.devices[pin, document["branch"]] = Device(**document)
    else:
        for name in _DEVICE:
            setattr(known, name, document[name])
    owner = world.taxpayer(pin)
    owner.name = owner.name or document["name"]


def _name(world: World, pin: str, key: str, document: Document) -> None:
    world.names[pin] = document["name"]


def _rates(world: World, pin: str, key: str, document: Document) -> None:
    world.rates.update({letter: Decimal(rate) for letter, rate in document["rates"].items()})
    world.rates_changed = document["changed"]


def _item(world: World, pin: str, key: str, document: Document) -> None:
    owner = world.taxpayer(pin)
    owner.items[key] = document
    owner.last_item = max(owner.last_item, document["running"])


def _composition(world: World, pin: str, key: str, document: Document) -> None:
    world.taxpayer(pin).compositions[key] = document


def _import(world: World, pin: str, key: str, document: Document) -> None:
    world.taxpayer(pin).imports[key] = document


def _offer(world: World, pin: str, key: str, document: Document) -> None:
    world.taxpayer(pin).offers[key] = document


def _invoice(world: World, device: Device, key: str, document: Document, raw: bytes) -> None:
    body, receipt = document["body"], document["receipt"]
    number = body["invcNo"]
    kind = body["rcptTyCd"]
    device.invoices[number] = Invoice(
        number=number,
        original=body.get("orgInvcNo") or 0,
        kind=kind,
        total=Decimal(body["totAmt"]),
        tax=Decimal(body["totTaxAmt"]),
        buyer_pin=body.get("custTin"),
        buyer_name=body.get("custNm"),
        reference=body.get("trdInvcNo"),
        signature=receipt["rcptSign"],
        receipt_number=receipt["curRcptNo"],
        signed_at=receipt["sdcDateTime"],
        document=raw,
    )
    device.last_invoice = max(device.last_invoice, number)
    device.receipts[kind] = device.receipts.get(kind, 0) + 1
    buyer = world.taxpayers.get(body.get("custTin") or "")
    if buyer is not None and kind == "S":  # a taxpayer with a device here: offered as a purchase
        buyer.bought.append(((device.pin, device.branch), number))


def _alteration(world: World, device: Device, key: str, document: Document, raw: bytes) -> None:
    """What an order did to the books; the counters stay as they were."""
    if document["body"] is None:
        device.invoices.pop(int(key), None)
        return
    spent, receipts = device.last_invoice, dict(device.receipts)
    _invoice(world, device, key, document, raw)
    device.last_invoice, device.receipts = spent, receipts


def _purchase(world: World, device: Device, key: str, document: Document, raw: bytes) -> None:
    number = document["body"]["invcNo"]
    device.purchases[number] = document
    device.last_purchase = max(device.last_purchase, number)


def _movement(world: World, device: Device, key: str, document: Document, raw: bytes) -> None:
    body = document["body"]
    number = body["sarNo"]
    device.movements[number] = document["at"]
    device.last_movement = max(device.last_movement, number)
    sign = 1 if body["sarTyCd"] < "10" else -1  # table 12: 01–06 in, 11–16 out
    for line in body["itemList"]:
        code = line.get("itemCd") or ""
        device.stock[code] = device.stock.get(code, Decimal(0)) + sign * Decimal(line["qty"])
    if body["sarTyCd"] == "13":
        world.taxpayer(device.pin).transfers.append({"from": device.branch, **document})


def _reported(world: World, device: Device, key: str, document: Document, raw: bytes) -> None:
    device.reported[key] = Decimal(document["rsdQty"])


def _saved(group: str) -> Callable[[World, Device, str, Document, bytes], None]:
    def apply(world: World, device: Device, key: str, document: Document, raw: bytes) -> None:
        device.saved.setdefault(group, {})[key] = document

    return apply


_OF_TAXPAYER: dict[str, Callable[[World, str, str, Document], None]] = {
    "device": _device,
    "name": _name,
    "rates": _rates,
    "item": _item,
    "composition": _composition,
    "import": _import,
    "offer": _offer,
}
_OF_DEVICE: dict[str, Callable[[World, Device, str, Document, bytes], None]] = {
    "invoice": _invoice,
    "alteration": _alteration,
    "purchase": _purchase,
    "movement": _movement,
    "reported": _reported,
    "customer": _saved("customer"),
    "user": _saved("user"),
    "insurance": _saved("insurance"),
}
