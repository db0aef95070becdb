"""Where KRA is and who is calling: hosts, paths, identities."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Profile = Literal["direct", "gavaconnect"]
Kind = Literal["write-once", "read", "write", "write-upsert", "fiscal-write"]


def _refuse_unprintable(**values: str) -> None:
    # These travel in HTTP headers. The value itself may be a secret: it is not named.
    for name, value in values.items():
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"{name} must be printable ASCII")


@dataclass(frozen=True, slots=True)
class Host:
    profile: Profile
    base_url: str
    token_url: str = ""
    key_in_body: bool = True

    @property
    def needs_token(self) -> bool:
        # The two can be mixed: a token in front of the direct host has been seen.
        return self.profile == "gavaconnect" or bool(self.token_url)


@dataclass(frozen=True, slots=True)
class Credentials:
    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    app_id: str

    def __post_init__(self) -> None:
        _refuse_unprintable(
            consumer_key=self.consumer_key,
            consumer_secret=self.consumer_secret,
            app_id=self.app_id,
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """A device as KRA knows it. `key` is its cmcKey, empty until initialised."""

    pin: str
    branch: str
    key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        _refuse_unprintable(pin=self.pin, branch=self.branch, key=self.key)


@dataclass(frozen=True, slots=True)
class Target:
    host: Host
    identity: Identity
    credentials: Credentials | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    id: str
    kind: Kind
    path_direct: str
    path_gavaconnect: str

    @property
    def is_fiscal(self) -> bool:
        """The call spends a number of a counter when KRA accepts it."""
        # An item's number is lost to another item when an unclear answer counts as a refusal.
        return self.kind == "fiscal-write" or self.id == "item_save"

    def url(self, host: Host) -> str:
        path = self.path_direct if host.profile == "direct" else self.path_gavaconnect
        return host.base_url.rstrip("/") + path


ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {
        endpoint.id: endpoint
        for endpoint in (
            Endpoint("init", "write-once", "/selectInitOsdcInfo", "/initialize"),
            Endpoint("code_list", "read", "/selectCodeList", "/selectCodeList"),
            Endpoint("item_class_list", "read", "/selectItemClsList", "/selectItemClass"),
            Endpoint("branch_list", "read", "/selectBhfList", "/branchList"),
            Endpoint("notice_list", "read", "/selectNoticeList", "/selectNoticeList"),
            Endpoint("customer_pin", "read", "/selectCustomer", "/customerPinInfo"),
            Endpoint("taxpayer_info", "read", "/selectTaxPayerInfo", "/selectTaxpayerInfo"),
            Endpoint(
                "branch_customer_save", "write", "/saveBhfCustomer", "/branchSendCustomerInfo"
            ),
            Endpoint("customer_list", "read", "/selectCustomerList", "/selectCustomerList"),
            Endpoint("branch_user_save", "write", "/saveBhfUser", "/branchUserAccount"),
            Endpoint("branch_insurance_save", "write", "/saveBhfInsurance", "/branchInsuranceInfo"),
            Endpoint("item_save", "write-upsert", "/saveItem", "/saveItem"),
            Endpoint("item_list", "read", "/selectItemList", "/itemInfo"),
            Endpoint(
                "item_composition_save", "write", "/saveItemComposition", "/saveItemComposition"
            ),
            Endpoint("import_list", "read", "/selectImportItemList", "/importedItemInfo"),
            # The gateway documents /importedItemConvertedInfo, which proved unreliable on its
            # sandbox; the direct name works there too.
            Endpoint("import_update", "write", "/updateImportItem", "/updateImportItem"),
            Endpoint("sales_save", "fiscal-write", "/saveTrnsSalesOsdc", "/sendSalesTransaction"),
            Endpoint("invoice_details", "read", "/selectInvoiceDetails", "/selectInvoiceDetail"),
            Endpoint("sales_list", "read", "/selectTrnsSalesList", "/selectSalesTransactions"),
            Endpoint(
                "purchase_sales_list",
                "read",
                "/selectTrnsPurchaseSalesList",
                "/getPurchaseTransactionInfo",
            ),
            Endpoint(
                "purchase_save",
                "fiscal-write",
                "/insertTrnsPurchase",
                "/sendPurchaseTransactionInfo",
            ),
            Endpoint("stock_move_list", "read", "/selectStockMoveList", "/selectStockMoveLists"),
            Endpoint("stock_io_save", "fiscal-write", "/insertStockIO", "/insert/stockIO"),
            Endpoint("stock_master_save", "write-upsert", "/saveStockMaster", "/save/stockMaster"),
        )
    }
)

# By (environment, profile). Production of the gateway is left out: two API hosts and two token
# hosts are named in public, none is confirmed. Whoever uses it must set both addresses.
DEFAULT_HOSTS: Mapping[tuple[str, Profile], Host] = MappingProxyType(
    {
        ("sandbox", "direct"): Host("direct", "https://etims-api-sbx.kra.go.ke/etims-api"),
        ("production", "direct"): Host("direct", "https://etims-api.kra.go.ke/etims-api"),
        ("sandbox", "gavaconnect"): Host(
            "gavaconnect",
            "https://sbx.kra.go.ke/etims-oscu/api/v1",
            "https://sbx.kra.go.ke/v1/token/generate?grant_type=client_credentials",
        ),
    }
)
