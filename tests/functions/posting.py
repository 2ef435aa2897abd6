"""An event as Pub/Sub's push brings it to a deployed function: a CloudEvent in binary mode over functions-framework's WSGI app."""

import io
import json
import sys
from base64 import b64encode
from collections.abc import Callable

from infra.embedded.dispatch import EVENT_TYPE
from infra.embedded.event_queue import Taken
from infra.embedded.pages import WsgiApp


def post(app: WsgiApp, taken: Taken) -> tuple[int, str]:
    """POST the event to the function as a CloudEvent in binary mode; its status and body."""
    published = taken.published_at.isoformat()
    envelope = {
        "message": {"data": b64encode(taken.data).decode(), "messageId": taken.id, "publishTime": published},
        "subscription": f"embedded/{taken.topic.value}",
    }
    raw = json.dumps(envelope).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "embedded",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(raw)),
        "HTTP_CE_ID": taken.id,
        "HTTP_CE_SPECVERSION": "1.0",
        "HTTP_CE_TYPE": EVENT_TYPE,
        "HTTP_CE_SOURCE": f"//embedded/topics/{taken.topic.value}",
        "HTTP_CE_TIME": published,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(raw),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    statuses: list[str] = []

    def start_response(status: str, headers: object, exc_info: object = None) -> Callable[[bytes], object]:
        del headers, exc_info
        statuses.append(status)
        return lambda _: None

    chunks = app(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    return int(statuses[-1].split(" ", 1)[0]), body.decode(errors="replace")
