"""Cases about what comes in: customs' lines, suppliers' invoices, goods from other branches.

What this run took is known by its own item, so a second start goes on with the same line and the
same invoice. The goods are booked as any other's are, and KRA hears of the movement.
"""

from decimal import Decimal

from items import services as items
from items.models import ImportLine
from items.services.import_decisions import Approval, approve_import, default_quantity
from items.services.imports import pull_imports
from outbox.models import Lane, Status, Transmission
from outbox.resync import resync_counter
from purchases import services as purchases
from purchases.models import Purchase, PurchaseLine
from purchases.models import State as Offer

from .context import CaseFailed, Context
from .services import GOODS, deliver_stock

LATER = (
    "KRA's sandbox offers some a while after the first use. Wait a few minutes and start again: "
    "the run goes on here."
)
USED_UP = (
    "Earlier runs, or another system, have answered them all. Ask KRA to offer new ones to this "
    "PIN, or certify with another one."
)
Line = ImportLine.State
MINE = (Line.QUEUED, Line.APPROVED, Line.REFUSED)
TO_ANSWER = (Offer.OFFERED, Offer.MATCHED, Offer.REFUSED)


def import_list(ctx: Context) -> str:
    pull = pull_imports(ctx.device, everything=True)
    if pull.state == "failed":
        code, _, message = pull.detail.partition(": ")
        raise CaseFailed(code, message)
    if not ctx.has_answer("import_list"):
        raise CaseFailed("001", "KRA offers no import line.", LATER)
    lines = ImportLine.objects.filter(branch=ctx.branch)
    return f"{lines.count()} lines, {lines.filter(state=Line.OFFERED).count()} of them to decide"


def import_update(ctx: Context) -> str:
    item = ctx.item(GOODS)
    line = _import_line(ctx)
    quantity = line.stock_quantity or default_quantity(line, item) or _as_listed(line)
    decided = approve_import(line, Approval(sku=item.sku, quantity=quantity)).line
    if decided.transmission is None:
        raise CaseFailed(decided.state, "The approval is not owed to KRA.")
    ctx.deliver(decided.transmission)
    deliver_stock(ctx)
    return f"{line.name.strip()} approved: {quantity.normalize():f} {item.quantity_unit} in stock"


def _import_line(ctx: Context) -> ImportLine:
    lines = ImportLine.objects.filter(branch=ctx.branch).order_by("pk")
    mine = lines.filter(item=ctx.item(GOODS), state__in=MINE)
    line = mine.first() or lines.filter(state=Line.OFFERED).first()
    if line is None:
        raise CaseFailed("nothing_offered", "Every import line is decided already.", USED_UP)
    return line


def _as_listed(line: ImportLine) -> Decimal:
    """Customs counts in another unit than the item: its figure has to do, or one."""
    return max(Decimal(1), round(line.quantity or Decimal(1), 2))


def purchase_sales_list(ctx: Context) -> str:
    found = purchases.sync_branch(ctx.device, everything=True)
    if not ctx.has_answer("purchase_sales_list"):
        raise CaseFailed("001", "KRA offers no supplier invoice.", LATER)
    return f"{found.new + found.known} supplier invoices, {found.new} of them new"


def purchase_save(ctx: Context) -> str:
    """Confirm one supplier invoice in full, under the purchase lane's next number."""
    purchase = _purchase(ctx)
    if purchase.state in TO_ANSWER:
        sku = ctx.item(GOODS).sku
        numbers = purchase.lines.order_by("sequence").values_list("sequence", flat=True)
        choices = [purchases.Choice(number, sku) for number in numbers]
        # These goods are not ours for good: the next invoice of this supplier is matched anew.
        purchases.match(purchase.pk, choices, remember=False)
        purchases.confirm(purchase.pk, ())
    row = Purchase.objects.select_related("transmission").get(pk=purchase.pk).transmission
    if row is None:
        raise CaseFailed(purchase.state, "The confirmation is not owed to KRA.")
    _deliver(ctx, row)
    deliver_stock(ctx)
    return f"{purchase.supplier_name}, invoice {purchase.number}; its goods are in stock"


def _purchase(ctx: Context) -> Purchase:
    rows = Purchase.objects.filter(branch=ctx.branch, is_credit_note=False).order_by("pk")
    lines = PurchaseLine.objects.filter(item=ctx.item(GOODS))
    mine = rows.filter(pk__in=lines.values("purchase")).exclude(state=Offer.REJECTED)
    offered = rows.filter(state__in=TO_ANSWER[:2], lines__isnull=False)
    purchase = mine.first() or offered.first()
    if purchase is None:
        raise CaseFailed("nothing_offered", "Every supplier invoice is answered already.", USED_UP)
    return purchase


def _deliver(ctx: Context, row: Transmission) -> None:
    """If another system has used numbers, KRA's refusal proves which one it expects."""
    try:
        ctx.deliver(row)
    except CaseFailed:
        row.refresh_from_db()
        if row.status != Status.CONFLICT or row.expected_number is None:
            raise
        lane = Lane.objects.select_related("device").get(pk=row.lane_id)
        number = row.expected_number - 1
        resync_counter(lane, last_number=number, reason="KRA named it during certification")
        ctx.deliver(row)


def stock_move_list(ctx: Context) -> str:
    """KRA's transfers beside ours."""
    differences = items.reconcile_stock(ctx.device)
    return f"{len(differences)} differences from ours" if differences else "as in our books"
