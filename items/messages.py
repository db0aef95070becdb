"""Our items and stock in KRA's words. Its field names appear only here."""

from decimal import Decimal
from typing import Any

from django.db.models.functions import Coalesce
from django.utils import timezone

from kra.answers import Reply
from kra.errors import Rejected
from kra.readers import read_imports
from kra.requests import (
    EVERYTHING,
    ImportUpdateRequest,
    ItemCompositionRequest,
    ItemRequest,
    ListRequest,
    StockIOLine,
    StockIORequest,
    StockMasterRequest,
)
from kra.times import NAIROBI, format_date
from outbox.handlers import Found, Handler, NumberedHandler
from outbox.models import Lane, Transmission

from .amounts import Amounts, line_amounts
from .models import (
    ImportLine,
    Item,
    ItemComponent,
    ItemCounter,
    MovementType,
    StockLevel,
    StockMovement,
    StockMovementLine,
)
from .rates import rates_on
from .services.stock import (
    StockLine,
    book_stock,
    movement_accepted,
    movement_refused,
    release_waiting,
)

# Who registers and who modifies: never null (rule N7).
OUR_ID, OUR_NAME = "etims", "eTIMS integration"


def item_code(item: Item, number: int) -> str:
    """Rule I2(d): country, type, two-letter packaging and unit, a running number of 7 digits."""
    parts = (item.origin_country, item.product_type, item.packaging_unit, item.quantity_unit)
    return f"{''.join(parts)}{number:07}"


class ItemMessage(Handler):
    """Registers an item, or changes a registered one. The debt's reference is the SKU.

    A lost answer needs no look-up: KRA replaces an item of the same code, so the bytes go again.
    """

    endpoint = "item_save"

    def next_number(self, row: Transmission, lane: Lane) -> int | None:
        item = self._item(row)
        if item.registered_at is not None:
            return None
        return ItemCounter.objects.get(company=item.company_id).last_number + 1

    def spend_number(self, row: Transmission) -> None:
        if row.number is not None:
            counters = ItemCounter.objects.filter(company__devices__lanes=row.lane_id)
            counters.filter(last_number__lt=row.number).update(last_number=row.number)

    def build(self, row: Transmission, number: int | None) -> bytes:
        item, device = self._item(row), row.lane.device
        if number is not None:
            item.code = item_code(item, number)
            item.save(update_fields=["code"])
        return ItemRequest(
            tin=device.company.pin,
            bhfId=device.branch.code,
            itemCd=item.code,
            itemClsCd=item.classification,
            itemTyCd=item.product_type,
            itemNm=item.name,
            orgnNatCd=item.origin_country,
            pkgUnitCd=item.packaging_unit,
            qtyUnitCd=item.quantity_unit,
            taxTyCd=item.tax_letter,
            bcd=item.barcode or None,
            dftPrc=item.price,
            isrcAplcbYn="N",
            useYn="Y" if item.is_active else "N",
            regrId=OUR_ID,
            regrNm=OUR_NAME,
            modrId=OUR_ID,
            modrNm=OUR_NAME,
        ).encode()

    def accepted(self, row: Transmission, receipt: Any) -> None:
        item, now = self._item(row), timezone.now()
        Item.objects.filter(pk=item.pk).update(
            registered_at=Coalesce("registered_at", now), updated_at=now
        )
        release_waiting(item)

    def refused(self, row: Transmission, error: Rejected) -> None:
        item = self._item(row)
        # The next item takes the number (rule I3), so this one may not keep its code.
        Item.objects.filter(pk=item.pk, registered_at=None).update(code="")
        Item.objects.filter(pk=item.pk).update(updated_at=timezone.now())
        release_waiting(item)

    def _item(self, row: Transmission) -> Item:
        return Item.objects.get(company__devices__lanes=row.lane_id, sku=row.reference)


class ItemCompositionMessage(Handler):
    """So much of one item is in another; the debt's content says what. The data is replaced by a
    repeat, so a lost answer needs no look-up.
    """

    endpoint = "item_composition_save"

    def build(self, row: Transmission, number: int | None) -> bytes:
        parent, component, quantity = bytes(row.content or b"").decode().split()
        items = Item.objects.in_bulk([int(parent), int(component)])
        device = row.lane.device
        return ItemCompositionRequest(
            tin=device.company.pin,
            bhfId=device.branch.code,
            itemCd=items[int(parent)].code,
            cpstItemCd=items[int(component)].code,
            cpstQty=Decimal(quantity),
            regrId=OUR_ID,
            regrNm=OUR_NAME,
            modrId=OUR_ID,
            modrNm=OUR_NAME,
        ).encode()

    def accepted(self, row: Transmission, receipt: Any) -> None:
        parent, component, quantity = bytes(row.content or b"").decode().split()
        parts = ItemComponent.objects.filter(parent=int(parent), component=int(component))
        parts.update(accepted_quantity=Decimal(quantity), updated_at=timezone.now())


class StockMovementMessage(NumberedHandler):
    endpoint = "stock_io_save"

    def build(self, row: Transmission, number: int | None) -> bytes:
        movement = StockMovement.objects.select_related("counterpart").get(transmission=row)
        device = row.lane.device
        other = movement.counterpart
        day = movement.occurred_at.astimezone(NAIROBI).date()
        rates = rates_on(device.company.environment, day)
        lines = list(movement.lines.select_related("item").order_by("sequence"))
        amounts = [
            line_amounts(line.quantity, line.unit_price, rates[line.item.tax_letter])
            for line in lines
        ]
        return StockIORequest(
            tin=device.company.pin,
            bhfId=device.branch.code,
            sarNo=number or 0,
            orgSarNo=0,
            custTin=movement.customer_pin or None,
            custNm=movement.customer_name or None,
            custBhfId=other.code if other else None,
            sarTyCd=movement.type,
            ocrnDt=format_date(day),
            totItemCnt=len(lines),
            totTaxblAmt=sum((a.taxable for a in amounts), Decimal(0)),
            totTaxAmt=sum((a.tax for a in amounts), Decimal(0)),
            totAmt=sum((a.gross for a in amounts), Decimal(0)),
            remark=movement.remark or None,
            itemList=[
                _stock_line(place, line, each)
                for place, (line, each) in enumerate(zip(lines, amounts, strict=True), 1)
            ],
            regrId=OUR_ID,
            regrNm=OUR_NAME,
            modrId=OUR_ID,
            modrNm=OUR_NAME,
        ).encode()

    def accepted(self, row: Transmission, receipt: Any) -> None:
        movement_accepted(self._movement(row))

    def refused(self, row: Transmission, error: Rejected) -> None:
        movement_refused(self._movement(row))

    def _movement(self, row: Transmission) -> StockMovement:
        return StockMovement.objects.get(transmission=row)


def _stock_line(place: int, line: StockMovementLine, amounts: Amounts) -> StockIOLine:
    item = line.item
    return StockIOLine(
        itemSeq=place,
        itemCd=item.code,
        itemClsCd=item.classification,
        itemNm=item.name,
        bcd=item.barcode or None,
        pkgUnitCd=item.packaging_unit,
        pkg=Decimal(1),
        qtyUnitCd=item.quantity_unit,
        qty=line.quantity,
        prc=amounts.unit_price,
        splyAmt=amounts.gross,
        totDcAmt=Decimal(0),
        taxblAmt=amounts.taxable,
        taxTyCd=item.tax_letter,
        taxAmt=amounts.tax,
        totAmt=amounts.gross,
    )


class StockLevelMessage(Handler):
    """What is on hand of one item in the branch. The debt's content begins with the item's id."""

    endpoint = "stock_master_save"

    def build(self, row: Transmission, number: int | None) -> bytes:
        device = row.lane.device
        item = Item.objects.get(pk=int(bytes(row.content or b"").split()[0]))
        return StockMasterRequest(
            tin=device.company.pin,
            bhfId=device.branch.code,
            itemCd=item.code,
            # Rule S4: the sum of what KRA has booked by now, not what we shall have told it.
            rsdQty=StockLevel.objects.at_kra(branch_id=device.branch_id, item_id=item.pk),
            regrId=OUR_ID,
            regrNm=OUR_NAME,
            modrId=OUR_ID,
            modrNm=OUR_NAME,
        ).encode()


class ImportUpdateMessage(Handler):
    """Approves or rejects an import line, and books the goods once KRA has taken an approval.

    The update sets a status, so a repeat does no harm; but a lost answer is looked up in KRA's own
    list first, because a host may refuse to decide twice on one line (rule P2).
    """

    endpoint = "import_update"
    lookup = "import_list"
    STATUS_CODES = {ImportLine.Decision.APPROVE.value: "3", ImportLine.Decision.REJECT.value: "4"}

    def build(self, row: Transmission, number: int | None) -> bytes:
        line, device = self._line(row), row.lane.device
        if line.item is None:
            raise ValueError("the line has no item")
        return ImportUpdateRequest(
            tin=device.company.pin,
            bhfId=device.branch.code,
            taskCd=line.task_code,
            # Rule D3: as it came, in whichever order its digits are.
            dclDe=line.declared_on,
            itemSeq=line.sequence,
            hsCd=line.hs_code,
            itemClsCd=line.item.classification,
            itemCd=line.item.code,
            imptItemSttsCd=self.STATUS_CODES[line.decision],
            remark=line.remark,
            modrId=OUR_ID,
            modrNm=OUR_NAME,
        ).encode()

    def accepted(self, row: Transmission, receipt: Any) -> None:
        line, now = self._line(row), timezone.now()
        is_approved = line.decision == ImportLine.Decision.APPROVE
        movement = self._stock_in(row, line, now) if is_approved else None
        state = ImportLine.State.APPROVED if is_approved else ImportLine.State.REJECTED
        ImportLine.objects.filter(pk=line.pk).update(
            state=state,
            status_code=self.STATUS_CODES[line.decision],
            movement=movement,
            updated_at=now,
        )

    def refused(self, row: Transmission, error: Rejected) -> None:
        mine = ImportLine.objects.filter(transmission=row)
        mine.update(state=ImportLine.State.REFUSED, updated_at=timezone.now())

    def lookup_body(self, row: Transmission) -> bytes:
        device = row.lane.device
        company = device.company
        return ListRequest(tin=company.pin, bhfId=device.branch.code, lastReqDt=EVERYTHING).encode()

    def found(self, row: Transmission, reply: Reply) -> Found | None:
        """None unless KRA lists our very decision: then the same status is set again."""
        line = self._line(row)
        for one in read_imports(reply.data):
            key = (one.task_code, one.declared_on, one.sequence)
            if key == line.key and one.status_code == self.STATUS_CODES[line.decision]:
                return Found(receipt=None)
        return None

    def _stock_in(self, row: Transmission, line: ImportLine, now: Any) -> StockMovement | None:
        """None for a service, which has no stock."""
        item, quantity, price = line.item, line.stock_quantity, line.stock_price
        if item is None or quantity is None or price is None:
            return None
        return book_stock(
            device=row.lane.device,
            type=MovementType.IMPORT,
            lines=[StockLine(item.pk, quantity, price)],
            reference=f"IMPORT-{line.pk}",
            occurred_at=now,
            remark=f"Import {line.declaration_number or line.task_code}",
        )

    def _line(self, row: Transmission) -> ImportLine:
        return ImportLine.objects.select_related("item").get(transmission=row)
