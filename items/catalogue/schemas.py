"""What the API reads and writes about single items, tables of them, and their defaults."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from drf_spectacular.utils import OpenApiExample
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from companies.schemas import CompanyPin
from core.errors import Problem
from items.models import Item, ItemComponent, ItemDefault
from items.rows import ItemRow, Text20, Text60
from items.schemas import SyncSummary, Trouble
from items.services import Verdict
from items.services.readiness import ClassificationSuggestion
from items.services.table import MAX_ROWS

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Code = Annotated[str, Meta(pattern=r"^\d{2,10}$")]
MAX_DEFAULTS = 1000


class ItemPatch(Struct, forbid_unknown_fields=True):
    """What is left out keeps its value."""

    name: Name | UnsetType = UNSET
    classification: Code | UnsetType = UNSET
    tax: Annotated[str | UnsetType, Meta(description="A to E, or its name.")] = UNSET
    price: Annotated[Decimal | UnsetType, Meta(description="Tax included.")] = UNSET
    product_type: str | UnsetType = UNSET
    packaging_unit: str | UnsetType = UNSET
    quantity_unit: str | UnsetType = UNSET
    barcode: Text20 | UnsetType = UNSET
    category: Text60 | UnsetType = UNSET
    origin_country: str | UnsetType = UNSET
    is_fiscal: bool | UnsetType = UNSET
    is_active: Annotated[
        bool | UnsetType, Meta(description="False: no longer sold; KRA marks it as unused.")
    ] = UNSET


class ComponentInput(Struct, forbid_unknown_fields=True):
    component: Annotated[str, Meta(min_length=1, max_length=60, examples=["FLOUR"])]
    quantity: Annotated[Decimal, Meta(description="Of the component, in one of the item.")]


class ComponentOutput(Struct):
    component: str
    name: str
    quantity: Decimal
    accepted_quantity: Annotated[Decimal | None, Meta(description="What KRA accepted last.")]
    state: Annotated[str, Meta(description="queued, accepted or refused.")]
    trouble: Trouble | None

    @classmethod
    def of(cls, part: ItemComponent) -> "ComponentOutput":
        item, row = part.component, part.transmission
        quantities = (part.quantity, part.accepted_quantity)
        return cls(item.sku, item.name, *quantities, part.state, Trouble.of(row))


class CompositionOutput(Struct):
    item: str
    components: list[ComponentOutput]


class TableInput(Struct, forbid_unknown_fields=True):
    items: Annotated[list[Raw], Meta(min_length=1, max_length=MAX_ROWS)]


class TableShape(Struct):
    """Or `text/csv`, or a file named `file` in `multipart/form-data`."""

    items: Annotated[list[ItemRow], Meta(min_length=1, max_length=MAX_ROWS)]


class TableOutput(Struct):
    dry_run: bool
    summary: SyncSummary
    results: list[Verdict]


class DefaultInput(Struct, forbid_unknown_fields=True):
    category: Annotated[str, Meta(min_length=1, max_length=60, examples=["Kitchen"])]
    classification: Annotated[str, Meta(pattern=r"^(\d{2,10})?$")] = ""
    tax: str = ""
    product_type: str = ""
    packaging_unit: str = ""
    quantity_unit: str = ""


class DefaultsInput(Struct, forbid_unknown_fields=True):
    defaults: Annotated[list[DefaultInput], Meta(max_length=MAX_DEFAULTS)]
    company: CompanyPin = ""


class DefaultOutput(Struct):
    category: str
    classification: str
    tax: str
    product_type: str
    packaging_unit: str
    quantity_unit: str
    updated_at: datetime

    @classmethod
    def of(cls, one: ItemDefault) -> "DefaultOutput":
        return cls(
            category=one.category,
            classification=one.classification,
            tax=one.tax_letter,
            product_type=one.get_product_type_display(),
            packaging_unit=one.packaging_unit,
            quantity_unit=one.quantity_unit,
            updated_at=one.updated_at,
        )


class DefaultsOutput(Struct):
    defaults: list[DefaultOutput]


class NotReadyOutput(Struct):
    sku: str
    name: str
    code: str
    state: str
    reasons: list[Problem]

    @classmethod
    def of(cls, item: Item, reasons: list[Problem]) -> "NotReadyOutput":
        return cls(item.sku, item.name, item.code, item.state, reasons)


class SuggestionsOutput(Struct):
    results: list[ClassificationSuggestion]


class ReconcileInput(Struct, forbid_unknown_fields=True):
    adopt: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=20)]],
        Meta(max_length=1000, description="KRA's item codes to take over as items of yours."),
    ] = []
    device: Annotated[str, Meta(description="Serial; default: the head office's.")] = ""
    company: CompanyPin = ""


DEFAULTS_EXAMPLE = OpenApiExample(
    "One category",
    request_only=True,
    value={"defaults": [{"category": "Kitchen", "classification": "1000000000", "tax": "B"}]},
)
PATCH_EXAMPLE = OpenApiExample("No longer sold", request_only=True, value={"is_active": False})
COMPOSE_EXAMPLE = OpenApiExample(
    "Two of FLOUR in one", request_only=True, value={"component": "FLOUR", "quantity": "2"}
)
