"""The OpenAPI 3.1 document, made of the same declarations that run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hub import __version__
from hub.web.api.registry import Operation
from hub.web.api.schemas import Empty, FieldError, Problem

Mode = Literal["validation", "serialization"]
_TEMPLATE = "#/components/schemas/{model}"
_REASONS = {
    401: "no valid token",
    403: "the role does not allow it",
    404: "there is no such thing",
    409: "a rule says no, or the same call is under way",
    412: "If-Match does not fit: it was changed by somebody else",
    413: "the body is too large",
    415: "the body is not application/json",
    422: "the input is not valid",
    503: "nothing can be stored right now",
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document."""
    models = _models(operations)
    refs, definitions = models_json_schema(
        sorted(models, key=lambda m: (m[0].__name__, m[1])), ref_template=_TEMPLATE
    )
    schemas = definitions.get("$defs", {})
    paths: dict[str, Any] = {}
    for operation in operations:
        path = paths.setdefault("/api/v1" + operation.path, {})
        path[operation.method.lower()] = _operation(operation, refs, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hub",
            "version": __version__,
            "description": "Requests, tasks, orders and parcels.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}],
    }


def _models(operations: Sequence[Operation]) -> set[tuple[type[BaseModel], Mode]]:
    found: set[tuple[type[BaseModel], Mode]] = {(Problem, "serialization"), (FieldError, "serialization")}
    for operation in operations:
        found.add((operation.result, "serialization"))
        found.add((operation.query, "validation"))
        if operation.body is not None:
            found.add((operation.body, "validation"))
    return found


def _operation(operation: Operation, refs: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation, refs, schemas),
        "responses": {
            str(operation.status): {
                "description": (operation.result.__doc__ or "done").splitlines()[0],
                "content": {"application/json": {"schema": refs[operation.result, "serialization"]}},
            },
            **{str(code): _problem(code, refs) for code in _codes(operation)},
        },
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": bool(_schema(refs[operation.body, "validation"], schemas).get("required")),
            "content": {"application/json": {"schema": refs[operation.body, "validation"]}},
        }
    return described


def _codes(operation: Operation) -> list[int]:
    codes = {401, 403, 422, 503, *operation.errors}
    if operation.body is not None:
        codes |= {413, 415}
    if operation.method == "POST":
        codes.add(409)
    if operation.versioned:
        codes.add(412)
    return sorted(codes)


def _problem(code: int, refs: Any) -> dict[str, Any]:
    return {
        "description": _REASONS[code],
        "content": {"application/problem+json": {"schema": refs[Problem, "serialization"]}},
    }


def _schema(ref: dict[str, str], schemas: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schemas[ref["$ref"].rsplit("/", 1)[1]]
    return found


def _parameters(operation: Operation, refs: Any, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for part in operation.path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}")
            pattern = "^[0-9]{1,18}$" if name == "id" else "^[a-z0-9][a-z0-9_-]{0,62}$"
            found.append(
                {
                    "name": name,
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string", "pattern": pattern},
                }
            )
    if operation.query is not Empty:
        query = _schema(refs[operation.query, "validation"], schemas)
        required = set(query.get("required", ()))
        found += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in query["properties"].items()
        ]
    if operation.method == "POST":
        found.append(_header("Idempotency-Key", "the same key again gets the first answer", "^[!-~]{1,200}$"))
    if operation.versioned:
        found.append(_header("If-Match", "the version that you read, in quotes", '^"[0-9]{1,18}"$'))
    return found


def _header(name: str, description: str, pattern: str) -> dict[str, Any]:
    return {
        "name": name, "in": "header", "required": False, "description": description,
        "schema": {"type": "string", "pattern": pattern},
    }  # fmt: skip
