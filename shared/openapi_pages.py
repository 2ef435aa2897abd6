"""The dashboard of functions/dashboard, as OpenAPI describes it."""

from collections.abc import Mapping

from shared.openapi_parts import Schema

SCHEMAS: Mapping[str, Schema] = {}
PATHS: Mapping[str, Schema] = {}
