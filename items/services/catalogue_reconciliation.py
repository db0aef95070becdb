"""Our catalogue beside KRA's own list of it, by item code."""

import re
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone
from msgspec import Struct

from companies.models import Company
from core.errors import Problem, Upstream
from devices.calls import HostNotConfigured, exchange
from devices.models import Device
from items.models import Item, ProductType
from items.models.catalogue import COUNTRY_PATTERN, LETTERS, UNIT_PATTERN
from kra.errors import KRAError
from kra.readers import read_items
from kra.records import ItemInfo
from kra.requests import EVERYTHING, ListRequest

from .registration import lock_registration

# Our field → KRA's record.
COMPARED = {
    "name": "name",
    "classification": "class_code",
    "tax_letter": "tax_letter",
    "price": "price",
    "is_active": "is_used",
}
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Difference(Struct):
    field: str
    ours: str
    kras: str


class Differing(Struct):
    """`state` is queued while our change is still on its way."""

    sku: str
    code: str
    state: str
    differences: list[Difference]


class OnlyOurs(Struct):
    sku: str
    code: str
    state: str


class OnlyKRAs(Struct):
    """`problems`: why it cannot be adopted. Adopted ones have a SKU."""

    code: str
    name: str
    sku: str = ""
    problems: list[Problem] = []


class Reconciled(Struct):
    equal: int
    differing: list[Differing]
    only_ours: list[OnlyOurs]
    only_kras: list[OnlyKRAs]


def reconcile(company: Company, device: Device, *, adopt: Sequence[str] = ()) -> Reconciled:
    """Compare with KRA's list, and make those of its item codes that `adopt` names items of ours,
    under their code as SKU. Nothing else changes. Raises Upstream.
    """
    request = ListRequest(tin=company.pin, bhfId=device.branch.code, lastReqDt=EVERYTHING)
    try:
        reply = exchange(device, "item_list", request.encode(), reference="reconciliation")
        listed = {info.code: info for info in read_items(reply.data) if info.code}
    except (KRAError, HostNotConfigured) as error:
        raise Upstream(f"KRA's list was not read. {error.code}: {error.message}") from error
    adopted = _adopt(company, [listed[code] for code in set(adopt) & set(listed)])
    return _compare(company, listed, adopted, [code for code in adopt if code not in listed])


def _compare(
    company: Company, listed: dict[str, ItemInfo], adopted: dict[str, OnlyKRAs], lost: list[str]
) -> Reconciled:
    items = Item.objects.filter(company=company, is_fiscal=True).exclude(code="")
    light = items.select_related("transmission").defer(
        "transmission__body", "transmission__content"
    )
    ours = {item.code: item for item in light.order_by("code")}
    result = Reconciled(0, [], [], list(adopted.values()))
    for code, item in ours.items():
        info = listed.get(code)
        if info is None:
            result.only_ours.append(OnlyOurs(item.sku, code, item.state))
        elif differences := _differences(item, info):
            result.differing.append(Differing(item.sku, code, item.state, differences))
        else:
            result.equal += 1
    strangers = sorted(listed.keys() - ours.keys() - adopted.keys())
    result.only_kras += [OnlyKRAs(code, listed[code].name) for code in strangers]
    missing = Problem("adopt", "KRA's list has no such code.", "Take codes from only_kras.")
    result.only_kras += [OnlyKRAs(code, "", problems=[missing]) for code in lost]
    return result


def _differences(item: Item, info: ItemInfo) -> list[Difference]:
    pairs = [(name, getattr(item, name), getattr(info, other)) for name, other in COMPARED.items()]
    return [Difference(n, str(ours), str(kras)) for n, ours, kras in pairs if ours != kras]


@transaction.atomic
def _adopt(company: Company, infos: list[ItemInfo]) -> dict[str, OnlyKRAs]:
    """Make items of what KRA has, registered as they are; a fault of one stops no other."""
    results: dict[str, OnlyKRAs] = {}
    if not infos:
        return results
    lock_registration(company)
    codes = [info.code for info in infos]
    mine = Item.objects.filter(company=company)
    known = set(mine.filter(code__in=codes).values_list("code", flat=True))
    skus = set(mine.filter(sku__in=codes).values_list("sku", flat=True))
    now = timezone.now()
    for info in sorted(infos, key=lambda one: one.code):
        if info.code in known:
            continue
        problems = _faults(info)
        if info.code in skus:
            problems.append(Problem("sku", "Another item has this SKU.", "Rename that one."))
        if not problems:
            Item.objects.create(
                company=company, created_at=now, updated_at=now, **_facts(info, now)
            )
        sku = "" if problems else info.code
        results[info.code] = OnlyKRAs(info.code, info.name, sku, problems)
    return results


def _facts(info: ItemInfo, now: Any) -> dict[str, Any]:
    return {
        "sku": info.code,
        "code": info.code,
        "name": info.name,
        "classification": info.class_code,
        "product_type": info.type_code,
        "packaging_unit": info.package_unit,
        "quantity_unit": info.quantity_unit,
        "tax_letter": info.tax_letter,
        "price": info.price,
        "barcode": info.barcode,
        "origin_country": info.origin_country,
        "is_active": info.is_used,
        "registered_at": now,
    }


def _faults(info: ItemInfo) -> list[Problem]:
    """What of KRA's record our columns do not take."""
    price = info.price
    good = {
        "code": len(info.code) <= 20 and not CONTROL.search(info.code),
        "name": 0 < len(info.name) <= 200 and not CONTROL.search(info.name),
        "classification": re.fullmatch(r"\d{2,10}", info.class_code),
        "product_type": info.type_code in ProductType.values,
        "packaging_unit": re.fullmatch(UNIT_PATTERN, info.package_unit),
        "quantity_unit": re.fullmatch(UNIT_PATTERN, info.quantity_unit),
        "tax": info.tax_letter in tuple(LETTERS),
        "price": price is not None and 0 <= price < 10**16 and price == round(price, 2),
        "barcode": len(info.barcode) <= 20 and not CONTROL.search(info.barcode),
        "origin_country": re.fullmatch(COUNTRY_PATTERN, info.origin_country),
    }
    step = "Register it anew, as an item of your own."
    return [
        Problem(name, "KRA's value has no place here.", step) for name, ok in good.items() if not ok
    ]
