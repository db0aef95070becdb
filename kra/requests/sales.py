"""Sales and credit notes."""

from decimal import Decimal

import msgspec

from kra.requests.base import Letters, Message


class SaleReceipt(msgspec.Struct, frozen=True, kw_only=True):
    custTin: str | None = None
    custMblNo: str | None = None
    rptNo: int = 1
    rcptPbctDt: str
    trdeNm: str | None = None
    adrs: str | None = None
    topMsg: str | None = None
    btmMsg: str | None = None
    prchrAcptcYn: str = "N"


class SaleLine(msgspec.Struct, frozen=True, kw_only=True):
    itemSeq: int
    itemCd: str
    itemClsCd: str | None = None
    itemNm: str
    bcd: str | None = None
    pkgUnitCd: str
    pkg: Decimal  # the gateway accepts nothing but 1
    qtyUnitCd: str
    qty: Decimal
    prc: Decimal
    splyAmt: Decimal
    dcRt: Decimal
    dcAmt: Decimal
    isrccCd: str | None = None
    isrccNm: str | None = None
    isrcRt: Decimal | None = None
    isrcAmt: Decimal | None = None
    taxTyCd: str
    taxblAmt: Decimal
    taxAmt: Decimal
    totAmt: Decimal


class SaleRequest(Message, frozen=True, kw_only=True):
    """A sale (rcptTyCd S) or a credit note (R)."""

    trdInvcNo: str
    invcNo: int
    orgInvcNo: int  # 0 on a sale
    custTin: str | None = None
    custNm: str | None  # no default: an original without a name can never be credited
    salesTyCd: str = "N"
    rcptTyCd: str
    pmtTyCd: str | None = None
    salesSttsCd: str = "02"
    cfmDt: str
    salesDt: str
    stockRlsDt: str | None = None
    cnclReqDt: str | None = None
    cnclDt: str | None = None
    rfdDt: str | None = None
    rfdRsnCd: str | None = None
    totItemCnt: int
    letters: Letters  # all five; on the wire taxblAmtA-E, taxRtA-E, taxAmtA-E
    totTaxblAmt: Decimal
    totTaxAmt: Decimal
    totAmt: Decimal
    prchrAcptcYn: str = "N"
    remark: str | None = None
    regrId: str
    regrNm: str
    modrId: str
    modrNm: str
    receipt: SaleReceipt
    itemList: list[SaleLine]
