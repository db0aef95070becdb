"""The confirmation of a supplier invoice that KRA offered."""

from decimal import Decimal

import msgspec

from kra.requests.base import Letters, Message


class PurchaseLine(msgspec.Struct, frozen=True, kw_only=True):
    itemSeq: int
    itemCd: str | None = None
    itemClsCd: str
    itemNm: str
    bcd: str | None = None
    spplrItemClsCd: str | None = None
    spplrItemCd: str | None = None
    spplrItemNm: str | None = None
    pkgUnitCd: str | None = None
    pkg: Decimal
    qtyUnitCd: str
    qty: Decimal
    prc: Decimal
    splyAmt: Decimal
    dcRt: Decimal
    dcAmt: Decimal
    taxblAmt: Decimal
    taxTyCd: str
    taxAmt: Decimal
    totAmt: Decimal
    itemExprDt: str | None = None


class PurchaseRequest(Message, frozen=True, kw_only=True):
    spplrTin: str | None = None
    invcNo: int  # a counter of its own
    orgInvcNo: int
    spplrBhfId: str | None = None
    spplrNm: str | None = None
    spplrInvcNo: int | None = None
    regTyCd: str = "M"
    pchsTyCd: str
    rcptTyCd: str
    pmtTyCd: str
    pchsSttsCd: str
    cfmDt: str | None = None
    pchsDt: str
    wrhsDt: str | None = None
    cnclReqDt: str | None = None
    cnclDt: str | None = None
    rfdDt: str | None = None
    totItemCnt: int
    letters: Letters
    totTaxblAmt: Decimal
    totTaxAmt: Decimal
    totAmt: Decimal
    remark: str | None = None
    regrId: str
    regrNm: str
    modrId: str
    modrNm: str
    itemList: list[PurchaseLine]
