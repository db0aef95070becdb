"""KRA's 23 cases in its order, and after them the credit note whose copy it wants to see."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from . import books, branches, services, supply
from .context import Context


class Case(NamedTuple):
    """`run` says what was done, or None: then KRA's last answer on the endpoint is the verdict.

    `needs` are the cases whose work this one uses. `empty` is what an answer without rows (001)
    means, whatever was done with it; "passed" is reported as "passed, empty", because it proves
    the call and not the reading. "again" asks once more after `needs_later` has passed.
    """

    id: str
    title: str
    run: Callable[[Context], str | None]
    needs: tuple[str, ...] = ("init",)
    empty: Literal["passed", "failed", "again"] = "failed"
    needs_later: str = ""
    endpoint: str = ""

    @property
    def asks(self) -> str:
        return self.endpoint or self.id


CASES = (
    Case("init", "Initialise the device", services.init, needs=()),
    Case("code_list", "Code list", services.code_list),
    Case("item_class_list", "Item classifications", services.item_class_list),
    Case("branch_list", "Branches", branches.branch_list),
    Case("notice_list", "Notices", branches.notice_list, empty="passed"),
    Case("branch_customer_save", "Save a customer", branches.branch_customer_save),
    Case("branch_user_save", "Save a user", branches.branch_user_save),
    Case("branch_insurance_save", "Save an insurance", branches.branch_insurance_save),
    # A new taxpayer has no items yet.
    Case("item_list", "Items", services.item_list, empty="again", needs_later="item_save"),
    Case("item_save", "Save items", services.item_save, needs=("init", "item_class_list")),
    Case(
        "item_composition_save",
        "Save a composition",
        services.item_composition_save,
        needs=("item_save",),
    ),
    # Rule 13.3: an empty list does not count.
    Case("import_list", "Imports", supply.import_list),
    Case(
        "import_update",
        "Approve an import",
        supply.import_update,
        needs=("item_save", "import_list"),
    ),
    Case("sales_save", "Sell", services.sales_save, needs=("item_save",)),
    Case("purchase_sales_list", "Supplier invoices", supply.purchase_sales_list),
    Case(
        "purchase_save",
        "Confirm a purchase",
        supply.purchase_save,
        needs=("item_save", "purchase_sales_list"),
    ),
    Case("stock_master_save", "Stock level", services.stock_master_save, needs=("item_save",)),
    # Rule 13.3: an empty list counts.
    Case("stock_move_list", "Transfers", supply.stock_move_list, empty="passed"),
    Case("stock_io_save", "Stock movement", services.stock_io_save, needs=("item_save",)),
    Case("invoice_details", "Look an invoice up", books.invoice_details, needs=("sales_save",)),
    Case("sales_list", "Sales", books.sales_list, needs=("sales_save",)),
    Case("customer_list", "Customers", books.customer_list, needs=("branch_customer_save",)),
    Case("taxpayer_info", "Taxpayer", books.taxpayer_info),
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
