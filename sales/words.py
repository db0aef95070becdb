"""Codes of KRA by the names a till may use (tables 04, 07 and 32)."""

PAYMENT_METHODS = {
    "cash": "01",
    "credit": "02",
    "cash_credit": "03",
    "cheque": "04",
    "card": "05",
    "mobile_money": "06",
    "other": "07",
}
TAX_NAMES = {
    "exempt": "A",
    "standard": "B",
    "zero": "C",
    "zero_rated": "C",
    "non_vat": "D",
    "reduced": "E",
}
CREDIT_REASONS = {
    "missing_quantity": "01",
    "missing_data": "02",
    "damaged": "03",
    "wasted": "04",
    "raw_material_shortage": "05",
    "refund": "06",
    "wrong_customer_pin": "07",
    "wrong_customer_name": "08",
    "wrong_amount": "09",
    "wrong_quantity": "10",
    "wrong_item": "11",
    "wrong_tax": "12",
    "other": "13",
}
PAYMENT_NAMES = {code: name for name, code in PAYMENT_METHODS.items()}


def code_of(word: str, table: dict[str, str]) -> str | None:
    """The code for a name, or the code itself; None when it is neither."""
    return word if word in table.values() else table.get(word.lower())
