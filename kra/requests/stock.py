"""Stock movements and balances."""

from decimal import Decimal

import msgspec

from kra.requests.base import Message


class StockIOLine(msgspec.Struct, frozen=True, kw_only=True):
    itemSeq: int
    itemCd: str | None = None
    itemClsCd: str
    itemNm: str
    bcd: str | None = None
    pkgUnitCd: str
    pkg: Decimal
    qtyUnitCd: str
    qty: Decimal
    itemExprDt: str | None = None
    prc: Decimal
    splyAmt: Decimal
    totDcAmt: Decimal
    taxblAmt: Decimal
    taxTyCd: str
    taxAmt: Decimal
    totAmt: Decimal


class StockIORequest(Message, frozen=True, kw_only=True):
    sarNo: int
    orgSarNo: int  # 0 when there is none: null crashed the gateway
    regTyCd: str = "M"
    custTin: str | None = None
    custNm: str | None = None
    custBhfId: str | None = None
    sarTyCd: str
    ocrnDt: str
    totItemCnt: int
    totTaxblAmt: Decimal
    totTaxAmt: Decimal
    totAmt: Decimal
    remark: str | None = None
    regrId: str
    regrNm: str
    modrId: str
    modrNm: str
    itemList: list[StockIOLine]


class StockMasterRequest(Message, frozen=True, kw_only=True):
    itemCd: str
    rsdQty: Decimal
    regrId: str
    regrNm: str
    modrId: str
    modrNm: str
