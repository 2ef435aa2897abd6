"""The whole HTTP contract as an OpenAPI 3.1 document, served at `/openapi.json`; docs/api.md is the same for reading."""

from collections.abc import Mapping
from typing import Any

from shared import openapi_api, openapi_pages

DOCUMENT: Mapping[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Broadcast Manager",
        "version": "1",
        "description": "What owners of channel pairs, and the website, may ask for. No answer may be cached.",
    },
    "security": [{"token": []}],
    "paths": {**openapi_api.PATHS, **openapi_pages.PATHS},
    "components": {
        "schemas": {**openapi_api.SCHEMAS, **openapi_pages.SCHEMAS},
        "securitySchemes": {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "HS256, signed with the website's secret; `sub` is the client's id, `type` is `access`.",
            },
            "session": {
                "type": "apiKey",
                "in": "cookie",
                "name": "__Host-broadcast-manager",
                "description": "The dashboard's session; on http://127.0.0.1:8080 its name is `broadcast-manager-8080`.",
            },
        },
    },
}
