"""Stands between the functions and the Firestore emulator, hands every call on, and counts the documents read and written."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any

import grpc
from google.cloud.firestore_v1.types import (
    BatchGetDocumentsRequest,
    CommitRequest,
    RunAggregationQueryRequest,
    RunQueryRequest,
    RunQueryResponse,
    StructuredQuery,
)

SERVICE = "/google.firestore.v1.Firestore/"
THREADS = 400
"""One call occupies one; as many as all functions together have in flight."""
LONGEST_SECONDS = 60.0

Answered = Callable[[str, bytes], None]


class Operations:
    """What was asked of Firestore: documents read and written by collection, and queries. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self.queries: list[StructuredQuery] = []
        """Every query as it was asked, aggregations' included; for a test of the indexes."""

    def add(self, kind: str, collection: str, count: int = 1) -> None:
        """Note so many operations; `kind` is get, write, query, found (documents a query found) or count."""
        with self._lock:
            self._counts[kind, collection] += count

    def asked(self, query: StructuredQuery) -> None:
        """Note a query."""
        with self._lock:
            self.queries.append(query)

    def of(self, kind: str, collection: str | None = None) -> int:
        """How many there were."""
        with self._lock:
            return sum(n for (k, c), n in self._counts.items() if k == kind and collection in (None, c))

    def clear(self) -> None:
        """Begin again at zero."""
        with self._lock:
            self._counts.clear()
            self.queries.clear()


class _Proxy(grpc.GenericRpcHandler):
    def __init__(self, target: str, operations: Operations, answered: Answered) -> None:
        self._channel: Any = grpc.insecure_channel(target)  # the calls are bytes in, bytes out; the stubs know no such
        self._operations = operations
        self._answered = answered

    def close(self) -> None:
        self._channel.close()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        method = handler_call_details.method
        name = method.removeprefix(SERVICE)
        if name == "Commit":
            return grpc.unary_unary_rpc_method_handler(lambda request, context: self._commit(method, request, context))
        return grpc.unary_stream_rpc_method_handler(lambda request, context: self._stream(method, request, context))

    def _commit(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        for write in CommitRequest.deserialize(request).writes:
            self._operations.add("write", _collection(write.update.name))
        with _errors_handed_on(context):
            answer: bytes = self._channel.unary_unary(method)(
                request, timeout=_remaining(context), metadata=_metadata(context)
            )
            self._answered("Commit", request)
            return answer
        raise AssertionError("abort raises")

    def _stream(self, method: str, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        name = method.removeprefix(SERVICE)
        collection = self._count(name, request)
        with _errors_handed_on(context):
            for part in self._channel.unary_stream(method)(
                request, timeout=_remaining(context), metadata=_metadata(context)
            ):
                if name == "RunQuery" and RunQueryResponse.deserialize(part).document.name:
                    self._operations.add("found", collection)
                yield part

    def _count(self, name: str, request: bytes) -> str:
        match name:
            case "BatchGetDocuments":
                for document in BatchGetDocumentsRequest.deserialize(request).documents:
                    self._operations.add("get", _collection(document))
                return ""
            case "RunQuery":
                query = RunQueryRequest.deserialize(request).structured_query
                kind = "query"
            case "RunAggregationQuery":
                query = RunAggregationQueryRequest.deserialize(request).structured_aggregation_query.structured_query
                kind = "count"
            case _:
                return ""
        collection: str = query.from_[0].collection_id
        self._operations.add(kind, collection)
        self._operations.asked(query)
        return collection


@contextmanager
def firestore_proxy(
    target: str, operations: Operations, answered: Answered = lambda _name, _request: None
) -> Iterator[str]:
    """The address of a proxy before this emulator. `answered` is called when a commit was applied and before its answer goes
    on; if it raises, the answer is lost on its way."""
    proxy = _Proxy(target, operations, answered)
    server = grpc.server(ThreadPoolExecutor(THREADS), handlers=[proxy])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
        proxy.close()


class AnswerLost(Exception):
    """Raised by a proxy's `answered` to lose the answer."""


@contextmanager
def _errors_handed_on(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except AnswerLost:
        context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")
    except grpc.RpcError as error:
        context.abort(error.code(), error.details() or "")


def _remaining(context: grpc.ServicerContext) -> float:
    left = context.time_remaining()
    return LONGEST_SECONDS if left is None else min(left, LONGEST_SECONDS)


def _metadata(context: grpc.ServicerContext) -> tuple[tuple[str, str | bytes], ...]:
    kept = ("authorization", "google-cloud-resource-prefix", "x-goog-request-params")
    return tuple((key, value) for key, value in context.invocation_metadata() if key in kept)


def _collection(document: str) -> str:
    """The collection of `projects/P/databases/D/documents/<collection>/<id>`."""
    return document.split("/")[5]
