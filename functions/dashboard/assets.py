"""The files a page loads: read once, served under the hash of all of them, so that they may be kept for ever."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """One file, and the same packed."""

    kind: str
    content: bytes
    packed: bytes


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(KINDS[path.suffix], content, gzip.compress(content, mtime=0))


ASSETS = {path.name: _read(path) for path in sorted(FOLDER.iterdir())}
VERSION = hashlib.sha256(b"".join(name.encode() + asset.content for name, asset in ASSETS.items())).hexdigest()[:12]
