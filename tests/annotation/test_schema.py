"""The OpenAPI document: made without a warning, every operation named, every refusal typed."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    file = tmp_path_factory.mktemp("schema") / "openapi.json"
    call_command("spectacular", "--format", "openapi-json", "--validate", "--fail-on-warn", "--file", str(file))
    return json.loads(file.read_text())


def operations(schema):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_operation_has_a_name_of_its_own(schema):
    names = [operation["operationId"] for _path, _method, operation in operations(schema)]
    assert len(names) == len(set(names))
    assert len(names) > 40


def test_refusals_are_typed(schema):
    for path, method, operation in operations(schema):
        assert "default" in operation["responses"], f"{method} {path}"


def test_answers_are_complete(schema):
    for name, component in schema["components"]["schemas"].items():
        if name.endswith("Out"):
            assert set(component["required"]) == set(component["properties"]), name
