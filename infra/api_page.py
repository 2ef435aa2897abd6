"""docs/api.md from the OpenAPI document: `python -m infra.api_page > docs/api.md`."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared import openapi_api, openapi_pages
from shared.openapi import DOCUMENT


def page() -> str:
    """The whole page in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# The API"
    yield ""
    yield f"{DOCUMENT['info']['description']} Made from the OpenAPI document that the function serves at `/openapi.json`."
    yield ""
    token = DOCUMENT["components"]["securitySchemes"]["token"]["description"]
    yield f"Every call of `/api` carries `Authorization: Bearer <JWT>`: {token}"
    yield "A refusal is an *Error*. Times are UTC, ISO 8601 with `Z`."
    yield from _calls(openapi_api.PATHS)
    yield ""
    yield "# The dashboard"
    yield ""
    session = DOCUMENT["components"]["securitySchemes"]["session"]
    yield f"Pages and forms, with the cookie `{session['name']}`: {session['description']}"
    yield "Who accepts JSON is given JSON instead of pages."
    yield from _calls(openapi_pages.PATHS)
    yield ""
    yield "## What stands in the answers"
    for name, schema in DOCUMENT["components"]["schemas"].items():
        yield ""
        yield f"### {name}"
        yield ""
        if "description" in schema:
            yield f"{schema['description']}"
            yield ""
        yield "| field | is |"
        yield "|---|---|"
        for field, kind in schema["properties"].items():
            missing = "" if field in schema["required"] else "; may be missing"
            yield f"| `{field}` | {_kind(kind)}{missing} |"


def _calls(paths: Mapping[str, Any]) -> Iterator[str]:
    for path, calls in paths.items():
        for method, call in calls.items():
            yield from _call(path, method, call)


def _call(path: str, method: str, call: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"## {method.upper()} {path}"
    yield ""
    yield call["summary"]
    for parameter in call.get("parameters", ()):
        yield f"- `{parameter['name']}` in the {parameter['in']}: {_kind(parameter['schema'])}"
    if "requestBody" in call:
        yield from (f"- Body, {kind}: {_kind(body['schema'])}" for kind, body in call["requestBody"]["content"].items())
    yield ""
    yield "| status | answer |"
    yield "|---|---|"
    for status, answer in sorted(call["responses"].items()):
        kinds = " or ".join(_kind(one["schema"]) for one in answer.get("content", {}).values())
        yield f"| {status} | {kinds if status.startswith('2') else answer['description']} |"


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`".lower()
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if schema.get("type") == "array":
        return f"a list of {_kind(schema['items'])}"
    if schema.get("type") == "object":
        return "an object of " + ", ".join(f"`{name}`" for name in schema["properties"])
    kinds = schema.get("type", "anything")
    words = kinds if isinstance(kinds, str) else " or ".join(kinds)
    more = [schema[key] for key in ("format", "description") if key in schema]
    return ", ".join([words, *more]).rstrip(".")


if __name__ == "__main__":
    print(page(), end="")
