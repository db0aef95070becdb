"""The published schema tells how a caller shows who it is."""

import json

import pytest

pytestmark = pytest.mark.django_db


def test_the_schema_names_the_token(client):
    response = client.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})

    schema = json.loads(response.content)
    assert schema["components"]["securitySchemes"]["Token"]["name"] == "Authorization"
    assert {"Token": []} in schema["paths"]["/api/branches/"]["get"]["security"]
