"""The lists that KRA serves: read leniently, an odd row must not hide the others."""

from typing import Any

from kra.readers.members import Members
from kra.records import (
    BranchInfo,
    Classification,
    CodeClass,
    CodeDetail,
    CustomerInfo,
    ItemInfo,
    Notice,
    TaxpayerInfo,
)


def read_code_classes(data: dict[str, Any] | None) -> tuple[CodeClass, ...]:
    return tuple(
        CodeClass(
            code=row.text("cdCls"),
            name=row.text("cdClsNm"),
            description=row.text("cdClsDesc"),
            value_names=row.three_texts("userDfnNm"),
            is_used=row.flag("useYn"),
            details=tuple(_code_detail(detail) for detail in row.rows("dtlList")),
        )
        for row in Members(data).rows("clsList")
    )


def read_classifications(data: dict[str, Any] | None) -> tuple[Classification, ...]:
    return tuple(
        Classification(
            code=row.text("itemClsCd"),
            name=row.text("itemClsNm"),
            level=row.number("itemClsLvl"),
            tax_letter=row.text("taxTyCd"),
            is_major=row.flag("mjrTgYn"),
            is_used=row.flag("useYn"),
        )
        for row in Members(data).rows("itemClsList")
    )


def read_customer(data: dict[str, Any] | None) -> CustomerInfo | None:
    """The taxpayer behind a PIN; None when KRA knows none."""
    for row in Members(data).rows("custList"):
        return CustomerInfo(
            pin=row.text("tin"),
            name=row.text("taxprNm"),
            status_code=row.text("taxprSttsCd"),
            province=row.text("prvncNm"),
            district=row.text("dstrtNm"),
            sector=row.text("sctrNm"),
            address=row.text("locDesc"),
        )
    return None


def read_taxpayer(data: dict[str, Any] | None) -> TaxpayerInfo | None:
    info = Members(data).object("info")
    if not info:
        return None
    return TaxpayerInfo(name=info.text("taxprNm"), vat_type_code=info.text("vatTyCd"))


def read_branches(data: dict[str, Any] | None) -> tuple[BranchInfo, ...]:
    return tuple(_branch(row) for row in Members(data).rows("bhfList"))


def read_notices(data: dict[str, Any] | None) -> tuple[Notice, ...]:
    """Text of strangers: escape before showing."""
    return tuple(
        Notice(
            number=row.number("noticeNo"),
            title=row.text("title"),
            text=row.text("cont"),
            url=row.text("dtlUrl"),
            author=row.text("regrNm"),
            registered_at=row.instant_or_none("regDt"),
        )
        for row in Members(data).rows("noticeList")
    )


def read_items(data: dict[str, Any] | None) -> tuple[ItemInfo, ...]:
    return tuple(_item(row) for row in Members(data).rows("itemList"))


def _code_detail(row: Members) -> CodeDetail:
    return CodeDetail(
        code=row.text("cd"),
        name=row.text("cdNm"),
        description=row.text("cdDesc"),
        sort_order=row.number("srtOrd"),
        values=row.three_texts("userDfnCd"),
        is_used=row.flag("useYn"),
    )


def _branch(row: Members) -> BranchInfo:
    return BranchInfo(
        pin=row.text("tin"),
        code=row.text("bhfId"),
        name=row.text("bhfNm"),
        status_code=row.text("bhfSttsCd"),
        is_open=row.text("bhfSttsCd") == "01",
        is_head_office=row.flag("hqYn"),
        province=row.text("prvncNm"),
        district=row.text("dstrtNm"),
        sector=row.text("sctrNm"),
        address=row.text("locDesc"),
        manager_name=row.text("mgrNm"),
        manager_phone=row.text("mgrTelNo"),
        manager_email=row.text("mgrEmail"),
    )


def _item(row: Members) -> ItemInfo:
    return ItemInfo(
        code=row.text("itemCd"),
        class_code=row.text("itemClsCd"),
        type_code=row.text("itemTyCd"),
        name=row.text("itemNm"),
        standard_name=row.text("itemStdNm"),
        origin_country=row.text("orgnNatCd"),
        package_unit=row.text("pkgUnitCd"),
        quantity_unit=row.text("qtyUnitCd"),
        tax_letter=row.text("taxTyCd"),
        batch_number=row.text("btchNo"),
        barcode=row.text("bcd"),
        branch_code=row.text("regBhfId"),
        price=row.money_or_none("dftPrc"),
        safety_quantity=row.money_or_none("sftyQty"),
        is_insured=row.flag("isrcAplcbYn"),
        is_used=row.flag("useYn"),
    )
