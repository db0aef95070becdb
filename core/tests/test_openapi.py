"""The published schema comes from the structs that do the work."""

import msgspec
import pytest
from drf_spectacular.generators import SchemaGenerator

from core.openapi import ERROR, page_of, schema_of

from . import views


def test_it_puts_nested_structs_in_place():
    schema = schema_of(views.Basket, is_request=True)

    assert schema["required"] == ["reference"]
    line = schema["properties"]["lines"]["items"]
    assert line["properties"]["quantity"] == {"type": ["string", "number"], "format": "decimal"}
    assert "$ref" not in str(schema)


def test_money_is_answered_as_text_only():
    line = schema_of(views.Basket)["properties"]["lines"]["items"]

    assert line["properties"]["quantity"]["type"] == "string"


def test_it_refuses_types_it_cannot_describe():
    class Strange(msgspec.Struct):
        value: complex

    with pytest.raises(TypeError, match="not supported"):
        schema_of(Strange)


def test_a_page_holds_rows():
    assert page_of(views.Row)["properties"]["results"]["items"] == schema_of(views.Row)


def test_it_lists_every_answer_of_an_address():
    schema = SchemaGenerator(urlconf="core.tests.urls").get_schema(request=None, public=True)

    post = schema["paths"]["/basket/"]["post"]
    assert post["summary"] == "Read a basket"
    assert set(post["responses"]) == {"200", "204", "400", "401", "403", "429"}
    assert post["responses"]["429"]["content"]["application/json"]["schema"] == ERROR
    body = post["requestBody"]["content"]["application/json"]["schema"]
    assert body == schema_of(views.Basket, is_request=True)
