"""One HTTP request, and the Bot API parameters in its query and body.

Facts: TDLib HttpReader.cpp (which bodies are read, a JSON value that is no string counts as its JSON text) and the Bot
API docs, "Making requests" (query, urlencoded, JSON, multipart; GET and POST).
"""

from io import BytesIO
from urllib.parse import parse_qsl, unquote

import msgspec

from infra.telegram_simulator.refusals import Refused, bad_request

_raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_string = msgspec.json.Decoder(str)


class Request(msgspec.Struct, frozen=True):
    """Method, target and headers as they came; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the question mark, or ""."""
        return self.target.partition("?")[2]


def token_and_method(path: str) -> tuple[str, str]:
    """The two parts of `/bot<token>/<method>`; Refused with 404 for any other path (HttpConnection.cpp)."""
    token, slash, method = path.removeprefix("/bot").partition("/")
    if not path.startswith("/bot") or not slash:
        raise Refused(404, "Not Found")
    return unquote(token), method


def read_parameters(request: Request) -> dict[str, str]:
    """All parameters; those in the body win over those in the query. Refused if the body cannot be read."""
    parameters = _urlencoded(request.query) if request.query else {}
    if request.body:
        kind = request.headers.get("content-type", "").lower()
        if "application/json" in kind:
            parameters.update(_json(request.body))
        elif "application/x-www-form-urlencoded" in kind:
            parameters.update(_urlencoded(request.body.decode("latin-1")))
        elif "multipart/form-data" in kind:
            parameters.update(_multipart(request))
        # Telegram takes a body of any other kind for a file, and no method here wants one.
    return parameters


def _urlencoded(text: str) -> dict[str, str]:
    # Bytes that are no UTF-8 become lone surrogates here, which Parameters.check_encoding refuses.
    raw = text.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
    return dict(parse_qsl(raw, keep_blank_values=True, errors="surrogateescape"))


def _json(body: bytes) -> dict[str, str]:
    try:
        fields = _raw_object.decode(body)
        return {name: _json_value(bytes(raw)) for name, raw in fields.items()}
    except msgspec.ValidationError:
        raise bad_request("JSON object expected") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as reason:
        raise bad_request(f"can't parse object: {reason}") from None


def _json_value(raw: bytes) -> str:
    return _string.decode(raw) if raw.startswith(b'"') else raw.decode()


def _multipart(request: Request) -> dict[str, str]:
    from werkzeug.formparser import parse_form_data  # rarely needed and slow to import

    environ = {
        "wsgi.input": BytesIO(request.body),
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": request.headers["content-type"],
        "REQUEST_METHOD": "POST",
    }
    try:
        _, form, _ = parse_form_data(environ, silent=False)
    except ValueError as reason:
        raise bad_request(f"can't parse form data: {reason}") from None
    return form.to_dict()
