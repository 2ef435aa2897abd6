"""Templates, and how moments and countdowns are written in them."""

import hashlib
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from functions.dashboard.assets import VERSION
from shared.presentation import moment


def in_utc(time: datetime) -> str:
    """`1 Jun 2026, 12:00 UTC`."""
    time = time.astimezone(UTC)
    return f"{time.day} {time:%b %Y, %H:%M} UTC"


def as_time(time: datetime) -> Markup:
    """The moment for people and for the script that brings it into the reader's zone."""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(moment(time), in_utc(time), in_utc(time))


def countdown(deadline: datetime, now: datetime) -> str:
    """`M:SS` until then, rounded up."""
    seconds = max(0, ceil((deadline - now).total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02d}"


def mark(shown: object) -> str:
    """Changes whenever what is shown does."""
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:10]


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(time=as_time, countdown=countdown, moment=moment, mark=mark)


def render(template: str, *, root: str, **values: Any) -> str:
    """The page; `root` leads from it to the dashboard's own root, such as `../`, and is empty there."""
    return _ENVIRONMENT.get_template(template).render(root=root, files=f"{root}files/{VERSION}", **values)


def root_of(path: str) -> str:
    """The way from the page at this path to the root; relative, for a prefix of the path may be hidden from us."""
    return "../" * (path.count("/") - 1)
