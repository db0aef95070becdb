"""Requests for the API's documentation."""

from drf_spectacular.utils import OpenApiExample

SYNC_EXAMPLE = OpenApiExample(
    "Two goods and a service",
    request_only=True,
    value={
        "items": [
            {
                "sku": "SKU-001",
                "name": "Electric kettle 1.7 l",
                "classification": "1000000000",
                "tax": "standard",
                "price": "2320.00",
                "packaging_unit": "CT",
                "opening_stock": "10",
            },
            {
                "sku": "SKU-002",
                "name": "Certified seed, 1 kg",
                "classification": "1000000000",
                "tax": "A",
                "price": "350.00",
                "packaging_unit": "BG",
                "quantity_unit": "KG",
            },
            {
                "sku": "SRV-01",
                "name": "Delivery",
                "classification": "1000000000",
                "product_type": "service",
                "tax": "B",
                "price": "580",
            },
        ]
    },
)
