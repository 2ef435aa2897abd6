"""Telegram's HTML: parsing it as strictly as TDLib does, and writing formatted text back as safe HTML for a page.

Facts: TDLib MessageEntity.cpp (parse_html, decode_html_entity), SynchronousRequests.cpp (the "Can't parse entities"
prefix) and the Bot API docs, "Formatting options". Byte offsets in errors count the UTF-8 bytes of the raw text.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from infra.telegram_simulator.entities import Entity, FormattedText, in_order, utf16_length
from infra.telegram_simulator.links import BadLink, checked_link, is_user_link

_TAGS = {
    "a": "text_link", "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "s": "strikethrough",
    "strike": "strikethrough", "del": "strikethrough", "u": "underline", "ins": "underline",
    "tg-spoiler": "spoiler", "span": "spoiler", "tg-emoji": "custom_emoji", "tg-time": "date_time", "pre": "pre",
    "code": "code", "blockquote": "blockquote",
}  # fmt: skip
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_SPACE = " \t\r\n\0\v"
_NUL = "\0"  # the parser's end mark; TDLib walks a C string in the same way
_SPECIAL = re.compile("[<&]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMERIC = re.compile(r"&#(?:x([0-9A-Fa-f]*)|([0-9]*))")
_ALPHA = re.compile("[A-Za-z]*")
_TAG_NAME = re.compile(r"[^ \t\r\n\0\v>]*")
_ATTRIBUTE_NAME = re.compile(r"""[^ \t\r\n\0\v=>/"']*""")
_NAME_TOKEN = re.compile(r"[A-Za-z0-9.-]*")
_BLANKS = re.compile(r"[ \t\r\n\v]*")


class HtmlError(ValueError):
    """Raised for markup Telegram refuses; the text is TDLib's, without the "Can't parse entities: " before it."""


@dataclass(frozen=True, slots=True)
class _Open:
    tag: str
    argument: str
    offset: int  # UTF-16 units
    begin: int  # index into the list of finished pieces


def parse(source: str) -> FormattedText:
    """Visible text and entities of Telegram HTML, not yet trimmed (see entities.tidy); HtmlError if it is malformed."""
    if "<" not in source and "&" not in source:
        return FormattedText(source)
    return _Parser(source).run()


class _Parser:
    def __init__(self, source: str) -> None:
        self._text = source + _NUL
        self._end = len(source)
        self._pieces: list[str] = []
        self._offset = 0
        self._open: list[_Open] = []
        self._entities: list[Entity] = []

    def run(self) -> FormattedText:
        position = 0
        while position < self._end:
            special = _SPECIAL.search(self._text, position)
            stop = special.start() if special else self._end
            self._append(self._text[position:stop])
            position = stop
            if special is None:
                break
            if special[0] == "&":
                character, position = _decode(self._text, position)
                self._append(character)
            elif self._text[position + 1] == "/":
                position = self._end_tag(position)
            else:
                position = self._start_tag(position)
        if self._open:
            raise HtmlError(f'Can\'t find end tag corresponding to start tag "{self._open[-1].tag}"')
        text = "".join(self._pieces)
        if not text.isascii() and _SURROGATE.search(text):
            raise HtmlError(
                "Text contains invalid Unicode characters after decoding HTML entities, "
                "check for unmatched surrogate code units"
            )
        # A language counts only inside <pre>; on a lone <code> it is forgotten.
        entities = [Entity("code", e.offset, e.length) if e.type == "code" else e for e in self._entities]
        return FormattedText(text, tuple(in_order(entities)))

    def _append(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            self._offset += utf16_length(piece)

    def _at(self, position: int) -> str:
        return f"at byte offset {len(self._text[:position].encode('utf-8', 'surrogatepass'))}"

    def _skip(self, pattern: re.Pattern[str], position: int) -> int:
        matched = pattern.match(self._text, position)
        return matched.end() if matched else position

    def _start_tag(self, begin: int) -> int:
        text = self._text
        position = self._skip(_TAG_NAME, begin + 1)
        if text[position] == _NUL:
            raise HtmlError(f"Unclosed start tag {self._at(begin)}")
        tag = _ascii_lower(text[begin + 1 : position])
        if tag not in _TAGS:
            raise HtmlError(f'Unsupported start tag "{tag}" {self._at(begin)}')
        argument = ""
        while text[position] != ">":
            position = self._skip(_BLANKS, position)
            if text[position] == ">":
                break
            name, value, position = self._attribute(tag, begin, position)
            argument = _argument(tag, name, value, argument)
        if tag == "span" and argument != "spoiler":
            raise HtmlError(f'Tag "span" must have class "tg-spoiler" {self._at(begin)}')
        self._open.append(_Open(tag, argument, self._offset, len(self._pieces)))
        return position + 1

    def _attribute(self, tag: str, begin: int, position: int) -> tuple[str, str | None, int]:
        """Name, value (None: the attribute has none) and where to go on."""
        text = self._text
        name_begin = position
        position = self._skip(_ATTRIBUTE_NAME, position)
        name = text[name_begin:position]
        if not name:
            raise HtmlError(f'Empty attribute name in the tag "{tag}" {self._at(begin)}')
        position = self._skip(_BLANKS, position)
        if text[position] != "=":
            if text[position] == _NUL:
                raise HtmlError(f'Unclosed start tag "{tag}" {self._at(begin)}')
            return name, None, position
        position = self._skip(_BLANKS, position + 1)
        if text[position] == _NUL:
            raise HtmlError(f'Unclosed start tag "{tag}" {self._at(begin)}')
        if text[position] in "\"'":
            value, position = self._quoted(position)
        else:
            token_begin = position
            position = self._skip(_NAME_TOKEN, position)
            value = _ascii_lower(text[token_begin:position])
            if text[position] not in _SPACE and text[position] != ">":
                raise HtmlError(f"Unexpected end of name token {self._at(token_begin)}")
        if text[position] == _NUL:
            raise HtmlError(f"Unclosed start tag {self._at(begin)}")
        return name, value, position

    def _quoted(self, position: int) -> tuple[str, int]:
        text, quote = self._text, self._text[position]
        position += 1
        value: list[str] = []
        while text[position] not in (quote, _NUL):
            if text[position] == "&":
                character, position = _decode(text, position)
                value.append(character)
            else:
                value.append(text[position])
                position += 1
        return "".join(value), position + (text[position] == quote)

    def _end_tag(self, begin: int) -> int:
        if not self._open:
            raise HtmlError(f"Unexpected end tag {self._at(begin)}")
        name_end = self._skip(_TAG_NAME, begin + 1)
        name = _ascii_lower(self._text[begin + 2 : name_end])
        position = self._skip(_BLANKS, name_end)
        if self._text[position] != ">":
            raise HtmlError(f"Unclosed end tag {self._at(begin)}")
        opened = self._open.pop()
        if name and name != opened.tag:  # "</>" closes whatever is open
            raise HtmlError(f'Unmatched end tag {self._at(begin)}, expected "</{opened.tag}>", found "</{name}>"')
        if self._offset > opened.offset:
            self._close(opened)
        return position + 1

    def _close(self, opened: _Open) -> None:
        offset, length = opened.offset, self._offset - opened.offset
        kind, argument = _TAGS[opened.tag], opened.argument
        last = self._entities[-1] if self._entities else None
        same_range = last is not None and (last.offset, last.length) == (offset, length)
        if opened.tag == "a":
            link = argument or "".join(self._pieces[opened.begin :])
            if is_user_link(link):
                kind = "text_mention"
            else:
                try:
                    link = checked_link(link)
                except BadLink:
                    return  # the link is lost without an error, its text stays
            argument = link
        elif opened.tag == "tg-emoji":
            if not re.fullmatch(r"-?[0-9]{1,19}", argument) or int(argument) == 0:
                raise HtmlError("Invalid custom emoji identifier specified")
        elif opened.tag == "pre" and same_range and last is not None and last.type == "code" and last.argument:
            self._entities[-1] = Entity("pre", offset, length, last.argument)
            return
        elif opened.tag == "code" and same_range and last is not None and last.type == "pre" and argument:
            self._entities[-1] = Entity("pre", offset, length, argument)
            return
        elif opened.tag == "blockquote" and argument:
            kind, argument = "expandable_blockquote", ""
        elif opened.tag == "span":
            argument = ""
        self._entities.append(Entity(kind, offset, length, argument))


def _argument(tag: str, name: str, value: str | None, argument: str) -> str:
    """What a tag remembers of its attributes, after one more of them."""
    if tag == "blockquote" and name == "expandable":
        return "1"
    if value is None:
        return argument
    if (tag, name) in (("a", "href"), ("tg-emoji", "emoji-id"), ("tg-time", "unix")):
        return value
    if (tag, name) == ("code", "class") and value.startswith("language-"):
        return value.removeprefix("language-")
    if (tag, name) == ("span", "class") and value.startswith("tg-"):
        return value.removeprefix("tg-")
    return argument


def _decode(text: str, position: int) -> tuple[str, int]:
    """The character an entity at `position` stands for and where it ends; an unknown one is just an ampersand."""
    if text[position + 1] == "#":
        numeric = _NUMERIC.match(text, position)
        end = numeric.end() if numeric else position + 2
        if numeric is None or end - position >= 10:  # TDLib takes at most 9 characters, so no number overflows
            return "&", position + 1
        code = int(numeric[1] or "0", 16) if numeric[1] is not None else int(numeric[2] or "0")
        if code == 0 or code >= 0x10FFFF:
            return "&", position + 1
        character = chr(code)
    else:
        named = _ALPHA.match(text, position + 1)
        end = named.end() if named else position + 1
        if text[position + 1 : end] not in _NAMED:
            return "&", position + 1
        character = _NAMED[text[position + 1 : end]]
    return character, end + (text[end] == ";")


def _ascii_lower(text: str) -> str:
    return text.lower() if text.isascii() else text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "replace")


_HTML = {
    "bold": "b", "italic": "i", "underline": "u", "strikethrough": "s", "code": "code", "pre": "pre",
    "blockquote": "blockquote", "expandable_blockquote": "blockquote",
}  # fmt: skip


def to_html(formatted: FormattedText) -> Markup:
    """Formatted text as safe HTML: everything a bot wrote is escaped, links lead only to http, https and tg."""
    units = formatted.text.encode("utf-16-le")
    cuts = {0, len(units) // 2}
    for entity in formatted.entities:
        cuts.update((entity.offset, entity.end))
    output: list[str] = []
    open_now: list[Entity] = []
    points = sorted(cuts)
    for begin, end in pairwise(points):
        wanted = [e for e in formatted.entities if e.offset <= begin and end <= e.end]
        shared = 0
        while shared < min(len(open_now), len(wanted)) and open_now[shared] is wanted[shared]:
            shared += 1
        output.extend(_closing(entity) for entity in reversed(open_now[shared:]))
        output.extend(_opening(entity) for entity in wanted[shared:])
        output.append(str(escape(units[2 * begin : 2 * end].decode("utf-16-le", "replace"))))
        open_now = wanted
    output.extend(_closing(entity) for entity in reversed(open_now))
    return Markup("".join(output))  # every piece was escaped above


def _opening(entity: Entity) -> str:
    if entity.type in _HTML:
        return f"<{_HTML[entity.type]}>"
    if entity.type == "text_link" and entity.argument.startswith(("http://", "https://", "tg://")):
        return f'<a href="{escape(entity.argument)}" rel="nofollow noopener noreferrer">'
    return f'<span class="{escape(entity.type)}">'


def _closing(entity: Entity) -> str:
    if entity.type in _HTML:
        return f"</{_HTML[entity.type]}>"
    if entity.type == "text_link" and entity.argument.startswith(("http://", "https://", "tg://")):
        return "</a>"
    return "</span>"
