"""The dashboard of functions/dashboard, as OpenAPI describes it."""

from collections.abc import Mapping

from shared.openapi_parts import COUNT, TEXT, TIME, UUID, YES, Schema, parameter, record, ref

HTML: Schema = {"type": "string", "description": "A page."}
TOKEN_FIELD: Schema = {"type": "string", "description": "What every form of a session carries."}
ROOT_FIELD: Schema = {"enum": ["", "../", "../../"], "description": "The way from the asking page to the root."}

SCHEMAS: Mapping[str, Schema] = {
    "Acted": record(
        {
            "success": YES,
            "message": TEXT,
            "card": {"type": "string", "description": "The pair's card, as HTML."},
            "server_time": TIME,
            "eta_seconds": COUNT,
            "warnings": {"type": "array", "items": TEXT},
        },
        optional=("eta_seconds", "warnings"),
    ),
    "Done": record({"success": YES}),
}

_PAGES: Mapping[int, str] = {
    200: "The page.",
    303: "Onward, to a page.",
    304: "Nothing has changed since.",
    400: "The request cannot be used; the page says why.",
    401: "Nobody is signed in; the page says where to sign in.",
    403: "Not sent by a page of this session, or by the website.",
    404: "Not found, or another client's.",
    409: "Paused, or already running.",
    413: "More than a form can hold.",
    429: "The cooldown is running; `Retry-After` says how long.",
    500: "A fault on our side.",
    503: "The records cannot be reached, or sending is held back; nothing was used up, unless `error` says otherwise.",
}
_EMPTY = {303, 304}
_SESSION: list[Schema] = [{"session": []}]
_ID = parameter("id", "path", UUID)
_BEFORE = parameter("before", "query", TIME)


def _answer(status: int, good: str | None) -> Schema:
    answer: Schema = {"description": _PAGES[status]}
    if status in _EMPTY:
        return answer
    content: Schema = {"text/html": {"schema": HTML}}
    if status != 200:
        content["application/json"] = {"schema": ref("Error")}
    elif good is not None:
        content["application/json"] = {"schema": ref(good)}
    return {**answer, "content": content}


def _page(
    summary: str, *statuses: int, parameters: tuple[Schema, ...] = (), security: list[Schema] | None = None
) -> Schema:
    signed_in = security is None
    found = sorted({200, *statuses, *((401,) if signed_in else ()), 500, 503})
    call: Schema = {
        "summary": summary,
        "security": _SESSION if security is None else security,
        "responses": {str(status): _answer(status, None) for status in found},
    }
    return {**call, "parameters": list(parameters)} if parameters else call


def _form(
    summary: str, good: str, *statuses: int, fields: Mapping[str, Schema], parameters: tuple[Schema, ...] = ()
) -> Schema:
    """A form's target: a browser is sent on, or shown a page that says why not; who accepts JSON is given that."""
    form = {"type": "object", "properties": dict(fields), "required": [name for name in fields if name != "root"]}
    found = sorted({200, 303, 401, 403, 413, *statuses, 500, 503})
    call: Schema = {
        "summary": summary,
        "security": _SESSION,
        "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}},
        "responses": {str(status): _answer(status, good) for status in found},
    }
    return {**call, "parameters": list(parameters)} if parameters else call


_ACT: Mapping[str, Schema] = {"form_token": TOKEN_FIELD, "root": ROOT_FIELD}

PATHS: Mapping[str, Schema] = {
    "/": {"get": _page("The list of the caller's pairs.", 303)},
    "/cards": {
        "get": _page(
            "What the list shows, for its script; `ETag` and `Server-Time` in the headers.",
            304,
            404,
            parameters=(parameter("root", "query", ROOT_FIELD), parameter("If-None-Match", "header", TEXT)),
        )
    },
    "/pairs/{id}": {"get": _page("One pair, with a preview of both messages.", 404, parameters=(_ID,))},
    "/pairs/{id}/history": {
        "get": _page("A pair's broadcasts, the newest 20 before a time.", 400, 404, parameters=(_ID, _BEFORE))
    },
    "/pairs/{id}/resend": {
        "get": _page("The question before a Resend.", 404, parameters=(_ID,)),
        "post": _form("Send both messages again now.", "Acted", 404, 409, 429, fields=_ACT, parameters=(_ID,)),
    },
    "/pairs/{id}/pause": {
        "post": _form("Send nothing more for this pair.", "Acted", 404, fields=_ACT, parameters=(_ID,))
    },
    "/pairs/{id}/resume": {"post": _form("Go on sending.", "Acted", 404, 409, fields=_ACT, parameters=(_ID,))},
    "/operator": {"get": _page("Everything at a glance, for operators.", 404)},
    "/operator/as": {
        "post": _form(
            "Look as one of the clients, for whoever was signed in by the machine's own link.",
            "Done",
            404,
            fields={"form_token": TOKEN_FIELD, "client_id": UUID},
        )
    },
    "/sign-in": {"get": _page("Where to sign in.", security=[])},
    "/session": {
        "post": {
            **_form(
                "Sign in by the website's access token, here or in the header `Authorization`; from the website, or from here.",
                "Done",
                400,
                fields={"token": TEXT},
            ),
            "security": [{}, {"token": []}],
        }
    },
    "/session/end": {"post": _form("Sign out.", "Done", fields={"form_token": TOKEN_FIELD})},
    "/files/{version}/{name}": {
        "get": {
            "summary": "What a page loads; to be kept for ever.",
            "security": [],
            "parameters": [parameter("version", "path", TEXT), parameter("name", "path", TEXT)],
            "responses": {
                "200": {
                    "description": "The file.",
                    "content": {"text/css": {"schema": TEXT}, "text/javascript": {"schema": TEXT}},
                },
                **{str(status): _answer(status, None) for status in (404, 500, 503)},
            },
        }
    },
}
