"""Items, their components, and items declared at customs."""

from decimal import Decimal

from kra.requests.base import Message


class ItemRequest(Message, frozen=True, kw_only=True):
    itemCd: str
    itemClsCd: str
    itemTyCd: str
    itemNm: str
    itemStdNm: str | None = None
    orgnNatCd: str
    pkgUnitCd: str
    qtyUnitCd: str
    taxTyCd: str
    btchNo: str | None = None
    bcd: str | None = None
    dftPrc: Decimal
    grpPrcL1: Decimal | None = None
    grpPrcL2: Decimal | None = None
    grpPrcL3: Decimal | None = None
    grpPrcL4: Decimal | None = None
    grpPrcL5: Decimal | None = None
    addInfo: str | None = None
    sftyQty: Decimal | None = None
    isrcAplcbYn: str
    useYn: str
    regrId: str
    regrNm: str
    modrId: str
    modrNm: str


class ItemCompositionRequest(Message, frozen=True, kw_only=True):
    """The parent must be goods, the component must have stock at KRA."""

    itemCd: str
    cpstItemCd: str
    cpstQty: Decimal
    regrId: str
    regrNm: str
    modrId: str
    modrNm: str


class ImportUpdateRequest(Message, frozen=True, kw_only=True):
    """taskCd, dclDe, itemSeq and hsCd are echoed exactly as listed."""

    taskCd: str
    dclDe: str
    itemSeq: int
    hsCd: str
    itemClsCd: str
    itemCd: str
    imptItemSttsCd: str  # 3 approves, 4 rejects; the list spells it imptItemsttsCd
    remark: str  # null was answered with 999
    modrId: str
    modrNm: str
