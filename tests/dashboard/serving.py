"""The dashboard's app behind a real HTTP server, which notes what it is asked and can be told to answer otherwise."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server


@dataclass
class Served:
    """Where it answers, and the requests so far as `METHOD /path`."""

    url: str = ""
    requests: list[str] = field(default_factory=list)

    def count(self, request: str) -> int:
        """How many of these came."""
        return sum(asked == request for asked in self.requests)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        del type, message, args


@contextmanager
def serve(app: Flask) -> Iterator[Served]:
    """The app on a port of its own."""
    served = Served()

    def noted(environ: dict[str, Any], start_response: Any) -> Any:
        served.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return app(environ, start_response)

    server = make_server("127.0.0.1", 0, noted, threaded=True, request_handler=_Quiet)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, name="dashboard-under-test")
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
