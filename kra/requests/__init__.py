"""KRA's messages: its field names, in the documented order. `cmcKey` is never among them.

Required members have no default. The client adds the key at send time, so that what is stored
and hashed holds no secret.
"""

from kra.requests.base import (
    LETTERS,
    LetterAmount,
    Letters,
    Message,
    numbered,
)
from kra.requests.branches import (
    BranchCustomerRequest,
    BranchInsuranceRequest,
    BranchUserRequest,
)
from kra.requests.items import (
    ImportUpdateRequest,
    ItemCompositionRequest,
    ItemRequest,
)
from kra.requests.lookups import (
    EVERYTHING,
    CustomerPinRequest,
    InitRequest,
    InvoiceDetailsRequest,
    ListRequest,
    TaxpayerInfoRequest,
)
from kra.requests.purchases import PurchaseLine, PurchaseRequest
from kra.requests.sales import (
    SaleLine,
    SaleReceipt,
    SaleRequest,
)
from kra.requests.stock import (
    StockIOLine,
    StockIORequest,
    StockMasterRequest,
)

__all__ = [
    "EVERYTHING",
    "LETTERS",
    "BranchCustomerRequest",
    "BranchInsuranceRequest",
    "BranchUserRequest",
    "CustomerPinRequest",
    "ImportUpdateRequest",
    "InitRequest",
    "InvoiceDetailsRequest",
    "ItemCompositionRequest",
    "ItemRequest",
    "LetterAmount",
    "Letters",
    "ListRequest",
    "Message",
    "PurchaseLine",
    "PurchaseRequest",
    "SaleLine",
    "SaleReceipt",
    "SaleRequest",
    "StockIOLine",
    "StockIORequest",
    "StockMasterRequest",
    "TaxpayerInfoRequest",
    "numbered",
]
