"""KRA's 23 cases in its order, and after them the credit note whose copy it wants to see."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from . import exchanges, services
from .context import Context


class Case(NamedTuple):
    """`run` says what was done, or None: then KRA's last answer on the endpoint is the verdict.

    `needs` are the cases whose work this one uses. `empty` is what an answer without rows (001)
    means; "again" asks once more after `needs_later` has passed.
    """

    id: str
    title: str
    run: Callable[[Context], str | None]
    needs: tuple[str, ...] = ("init",)
    empty: Literal["passed", "failed", "again"] = "failed"
    needs_later: str = ""
    # What an earlier case of the run has asked counts as well.
    is_shared: bool = False
    endpoint: str = ""

    @property
    def asks(self) -> str:
        return self.endpoint or self.id


CASES = (
    Case("init", "Initialise the device", services.init, needs=()),
    Case("code_list", "Code list", services.code_list),
    Case("item_class_list", "Item classifications", services.item_class_list, is_shared=True),
    Case("branch_list", "Branches", exchanges.branch_list),
    Case("notice_list", "Notices", exchanges.notice_list, empty="passed"),
    Case("branch_customer_save", "Save a customer", exchanges.branch_customer_save),
    Case("branch_user_save", "Save a user", exchanges.branch_user_save),
    Case("branch_insurance_save", "Save an insurance", exchanges.branch_insurance_save),
    # A new taxpayer has no items yet.
    Case("item_list", "Items", services.item_list, empty="again", needs_later="item_save"),
    Case("item_save", "Save items", services.item_save, needs=("init", "item_class_list")),
    Case(
        "item_composition_save",
        "Save a composition",
        exchanges.item_composition_save,
        needs=("item_save",),
    ),
    # Rule 13.3: an empty list does not count.
    Case("import_list", "Imports", exchanges.import_list),
    Case(
        "import_update",
        "Approve an import",
        exchanges.import_update,
        needs=("item_save", "import_list"),
    ),
    Case("sales_save", "Sell", services.sales_save, needs=("item_save",)),
    Case("purchase_sales_list", "Supplier invoices", exchanges.purchase_sales_list),
    Case(
        "purchase_save",
        "Confirm a purchase",
        exchanges.purchase_save,
        needs=("item_save", "purchase_sales_list"),
    ),
    Case("stock_master_save", "Stock level", services.stock_master_save, needs=("item_save",)),
    # Rule 13.3: an empty list counts.
    Case("stock_move_list", "Transfers", exchanges.stock_move_list, empty="passed"),
    Case("stock_io_save", "Stock movement", services.stock_io_save, needs=("item_save",)),
    Case("invoice_details", "Look an invoice up", exchanges.invoice_details, needs=("sales_save",)),
    Case("sales_list", "Sales", exchanges.sales_list, needs=("sales_save",)),
    Case("customer_list", "Customers", exchanges.customer_list, needs=("branch_customer_save",)),
    Case("taxpayer_info", "Taxpayer", exchanges.taxpayer_info),
)
AFTERWARDS = (
    Case(
        "credit_note",
        "Credit note (artefact)",
        services.credit_note,
        needs=("sales_save",),
        endpoint="sales_save",
    ),
)
ALL = CASES + AFTERWARDS


def place_of(case: Case) -> str:
    """Its number in KRA's order, as files are named by it."""
    return f"{ALL.index(case) + 1:02}"
