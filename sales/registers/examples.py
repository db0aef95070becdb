"""Requests for the API's documentation."""

from drf_spectacular.utils import OpenApiExample

CUSTOMER_EXAMPLE = OpenApiExample(
    "A customer with a PIN",
    request_only=True,
    value={
        "number": "C-1001",
        "pin": "P000111222B",
        "name": "Mfano Hotel Ltd",
        "phone": "0712345678",
        "email": "accounts@mfano.example",
    },
)
USER_EXAMPLE = OpenApiExample(
    "A cashier",
    request_only=True,
    value={"user_id": "asha", "name": "Asha Njeri", "authority": "cashier"},
)
INSURANCE_EXAMPLE = OpenApiExample(
    "An insurer that pays a fifth",
    request_only=True,
    value={"code": "INS01", "name": "Mfano Insurance", "rate": 20},
)
