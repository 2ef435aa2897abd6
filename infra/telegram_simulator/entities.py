"""Visible text and its formatting: what an entity is, and how TDLib tidies text before it becomes a message.

Offsets and lengths are UTF-16 code units, as in the Bot API's MessageEntity.
Facts: TDLib MessageEntity.cpp (sort_entities, fix_entities, clean_input_string_with_entities, fix_formatted_text).
"""

import re
from collections.abc import Iterable
from itertools import pairwise

import msgspec

SPLITTABLE = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
QUOTES = frozenset({"blockquote", "expandable_blockquote"})
VERBATIM = frozenset({"pre", "code"})

_PRIORITY = {
    "blockquote": 0, "expandable_blockquote": 0, "pre": 11, "code": 20, "text_link": 49, "text_mention": 49,
    "date_time": 49, "bold": 90, "italic": 91, "underline": 92, "strikethrough": 93, "spoiler": 94, "custom_emoji": 99,
}  # fmt: skip
_DROPPED = re.compile("[\r\u2028-\u202e\u0333\u033f\u030a]")
_CONTROL = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f]")


class Entity(msgspec.Struct, frozen=True, gc=False):
    """One stretch of formatting; `argument` is a link's URL, a language or an emoji's id."""

    type: str
    offset: int
    length: int
    argument: str = ""

    @property
    def end(self) -> int:
        """The first UTF-16 unit after the entity."""
        return self.offset + self.length


class FormattedText(msgspec.Struct, frozen=True):
    """What a reader sees: text without markup, and its formatting."""

    text: str
    entities: tuple[Entity, ...] = ()


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units, the unit of Telegram's offsets and of its 4096 limit."""
    return len(text) if text.isascii() else len(text) + sum(1 for character in text if character > "\uffff")


def in_order(entities: Iterable[Entity]) -> list[Entity]:
    """Sorted as TDLib does: by beginning, the longer first, then by kind."""
    return sorted(entities, key=lambda e: (e.offset, -e.length, _PRIORITY.get(e.type, 50)))


def untangle(entities: list[Entity]) -> list[Entity]:
    """Sorted entities as Telegram stores them: one bold inside another is one bold, code takes no inner formatting.

    A quote inside a link wins over the link; of two nested links the outer one stays. (Where TDLib also cuts
    overlapping bold and italic into pieces, this keeps them whole: a reader sees no difference.)
    """
    if all(before.end < after.offset for before, after in pairwise(entities)):
        return entities
    quotes = _outermost(e for e in entities if e.type in QUOTES)
    continuous = [
        e
        for e in _outermost(e for e in entities if e.type not in QUOTES and e.type not in SPLITTABLE)
        if not any(e.offset < q.end and q.offset < e.end and (e.offset < q.offset or q.end < e.end) for q in quotes)
    ]
    verbatim = [(e.offset, e.end) for e in continuous if e.type in VERBATIM]
    splittable = [
        Entity(kind, begin, end - begin)
        for kind in SPLITTABLE
        for begin, end in _without(_union((e.offset, e.end) for e in entities if e.type == kind), verbatim)
    ]
    return in_order([*quotes, *continuous, *splittable])


def tidy(formatted: FormattedText) -> FormattedText:
    """The text as it is stored: odd characters removed, trailing white space trimmed, leading too unless formatted.

    Control characters become spaces, carriage returns and direction marks vanish; then spaces and line feeds go at
    the end, and at the beginning as far as no entity covers them.
    """
    text, entities = _cleaned(formatted.text, list(formatted.entities))
    text = text.rstrip(" \n")
    end = utf16_length(text)
    entities = [Entity(e.type, e.offset, min(e.end, end) - e.offset, e.argument) for e in entities if e.offset < end]
    limit = min((e.offset for e in entities), default=end)
    leading = min(len(text) - len(text.lstrip(" \n")), limit)
    if leading:
        text = text[leading:]
        entities = [Entity(e.type, e.offset - leading, e.length, e.argument) for e in entities]
    return FormattedText(text, tuple(untangle(in_order(entities))))


def _cleaned(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    text = _CONTROL.sub(" ", text)
    if not _DROPPED.search(text):
        return text, entities
    # All dropped characters are one UTF-16 unit each, so an offset moves by the number dropped before it.
    units = 0
    gone: list[int] = []
    for character in text:
        if _DROPPED.match(character):
            gone.append(units)
        units += 2 if character > "\uffff" else 1

    def moved(offset: int) -> int:
        return offset - sum(1 for position in gone if position < offset)

    shifted = [Entity(e.type, moved(e.offset), moved(e.end) - moved(e.offset), e.argument) for e in entities]
    return _DROPPED.sub("", text), [e for e in shifted if e.length > 0]


def _outermost(entities: Iterable[Entity]) -> list[Entity]:
    kept: list[Entity] = []
    for entity in entities:
        if not kept or entity.offset >= kept[-1].end:
            kept.append(entity)
    return kept


def _union(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(ranges):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _without(ranges: list[tuple[int, int]], holes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    for hole_begin, hole_end in holes:
        pieces = [((b, min(e, hole_begin)), (max(b, hole_end), e)) for b, e in ranges]
        ranges = [(b, e) for pair in pieces for b, e in pair if b < e]
    return ranges
