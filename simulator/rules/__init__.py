"""What KRA does with each call: endpoint id -> handler."""

from collections.abc import Callable

from simulator.answers import Answer
from simulator.calls import Call
from simulator.rules import (
    branch,
    devices,
    imports,
    invoices,
    items,
    lists,
    purchases,
    sales,
    stock,
)

HANDLERS: dict[str, Callable[[Call], Answer]] = {
    "init": devices.init,
    "code_list": lists.code_list,
    "item_class_list": lists.item_class_list,
    "branch_list": lists.branch_list,
    "notice_list": lists.notice_list,
    "customer_pin": lists.customer_pin,
    "taxpayer_info": lists.taxpayer_info,
    "branch_customer_save": branch.save_customer,
    "customer_list": branch.customers,
    "branch_user_save": branch.save_user,
    "branch_insurance_save": branch.save_insurance,
    "item_save": items.save,
    "item_list": items.search,
    "item_composition_save": items.save_composition,
    "import_list": imports.search,
    "import_update": imports.update,
    "sales_save": sales.save,
    "invoice_details": invoices.details,
    "sales_list": invoices.search,
    "purchase_sales_list": purchases.offered,
    "purchase_save": purchases.save,
    "stock_move_list": stock.transfers,
    "stock_io_save": stock.save_movement,
    "stock_master_save": stock.save_master,
}
