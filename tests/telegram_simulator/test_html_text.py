"""Telegram's HTML is parsed as TDLib's MessageEntity.cpp parses it."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.telegram_simulator.entities import Entity, FormattedText, tidy, utf16_length
from infra.telegram_simulator.html_text import HtmlError, parse, to_html


def entities(source: str) -> list[tuple[str, int, int]]:
    return [(e.type, e.offset, e.length) for e in tidy(parse(source)).entities]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("<b>x</b>", "bold"),
        ("<STRONG>x</Strong>", "bold"),
        ("<i>x</i>", "italic"),
        ("<em>x</em>", "italic"),
        ("<u>x</u>", "underline"),
        ("<ins>x</ins>", "underline"),
        ("<s>x</s>", "strikethrough"),
        ("<strike>x</strike>", "strikethrough"),
        ("<del>x</del>", "strikethrough"),
        ("<tg-spoiler>x</tg-spoiler>", "spoiler"),
        ('<span class="tg-spoiler">x</span>', "spoiler"),
        ("<code>x</code>", "code"),
        ("<pre>x</pre>", "pre"),
        ("<blockquote>x</blockquote>", "blockquote"),
        ("<blockquote expandable>x</blockquote>", "expandable_blockquote"),
        ('<a href="https://t.me/x">x</a>', "text_link"),
        ('<a href="tg://user?id=42">x</a>', "text_mention"),
        ('<tg-emoji emoji-id="5368324170671202286">x</tg-emoji>', "custom_emoji"),
    ],
)
def test_an_allowed_tag_becomes_an_entity(source: str, kind: str) -> None:
    assert entities(source) == [(kind, 0, 1)]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("hello world <br>", 'Unsupported start tag "br" at byte offset 12'),
        ("ä <br>", 'Unsupported start tag "br" at byte offset 3'),
        ("<P>x</P>", 'Unsupported start tag "p" at byte offset 0'),
        ("1 < 2", 'Unsupported start tag "" at byte offset 2'),
        ("a <b", "Unclosed start tag at byte offset 2"),
        ("a <b x", 'Unclosed start tag "b" at byte offset 2'),
        ('<a href="x', "Unclosed start tag at byte offset 0"),
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b><i>x</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b>x</b x>", "Unclosed end tag at byte offset 4"),
        ("<a =x>y</a>", 'Empty attribute name in the tag "a" at byte offset 0'),
        ("<a href=a/b>y</a>", "Unexpected end of name token at byte offset 8"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<tg-emoji>x</tg-emoji>", "Invalid custom emoji identifier specified"),
        (
            "&#xD83D;",
            "Text contains invalid Unicode characters after decoding HTML entities, "
            "check for unmatched surrogate code units",
        ),
    ],
)
def test_malformed_markup_is_refused_in_tdlibs_words(source: str, reason: str) -> None:
    with pytest.raises(HtmlError) as caught:
        parse(source)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("&lt;&gt;&amp;&quot;", '<>&"'),
        ("a &lt b", "a < b"),
        ("&#60;&#x3c;&#x27;", "<<'"),
        ("&#65 &#x42", "A B"),
        ("&nbsp; &copy; &apos;", "&nbsp; &copy; &apos;"),
        ("&LT;", "&LT;"),
        ("&ltx;", "&ltx;"),
        ("&#X41;", "&#X41;"),
        ("&#0; &#; &#x;", "&#0; &#; &#x;"),
        ("&#x10ffff;", "&#x10ffff;"),
        ("&#0000065;", "A"),
        ("&#00000065;", "&#00000065;"),
        ("AT&T & co", "AT&T & co"),
        ("&#x1F600;", "\U0001f600"),
    ],
)
def test_only_four_names_and_numbers_are_decoded_and_the_rest_stays_literal(source: str, text: str) -> None:
    assert parse(source).text == text


def test_offsets_and_lengths_count_utf16_units() -> None:
    assert entities("\U0001f947 <b>\U0001f947x</b>") == [("bold", 3, 3)]


def test_an_empty_end_tag_closes_whatever_is_open() -> None:
    assert entities("<b>x</>") == [("bold", 0, 1)]


def test_an_entity_around_nothing_vanishes() -> None:
    assert entities("x<b></b>") == []


def test_a_bad_link_loses_its_link_but_not_its_text() -> None:
    formatted = parse('<a href="nowhere">text</a>')
    assert formatted == FormattedText("text", ())


def test_a_link_without_an_address_takes_its_text_for_one() -> None:
    assert parse("<a>Example.com</a>").entities[0].argument == "http://example.com/"


def test_a_known_entity_name_damages_a_raw_ampersand_in_a_link() -> None:
    assert parse('<a href="https://e.com/?a=1&lt=2">x</a>').entities[0].argument == "https://e.com/?a=1<=2"


def test_a_language_counts_only_inside_pre() -> None:
    inside = parse('<pre><code class="language-python">x</code></pre>').entities
    alone = parse('<code class="language-python">x</code>').entities
    assert inside == (Entity("pre", 0, 1, "python"),)
    assert alone == (Entity("code", 0, 1),)


def test_bold_in_bold_is_one_bold() -> None:
    assert entities("<b>a<b>b</b>c</b>") == [("bold", 0, 3)]


def test_adjacent_bolds_are_one_but_separate_ones_are_not() -> None:
    assert entities("<b>a</b><b>b</b>") == [("bold", 0, 2)]
    assert entities("<b>a</b> <b>b</b>") == [("bold", 0, 1), ("bold", 2, 1)]


def test_code_takes_no_inner_formatting() -> None:
    assert entities("<code>a<b>b</b></code>") == [("code", 0, 2)]
    assert entities("<b>a<code>b</code></b>") == [("bold", 0, 1), ("code", 1, 1)]


def test_white_space_is_trimmed_at_both_ends() -> None:
    assert tidy(parse(" \n hi \n ")).text == "hi"
    assert tidy(parse(" <b>hi </b> ")) == FormattedText("hi", (Entity("bold", 0, 2),))


def test_leading_white_space_inside_formatting_stays() -> None:
    assert tidy(parse("<b> hi</b>")).text == " hi"


def test_control_characters_become_spaces_and_carriage_returns_vanish() -> None:
    tidied = tidy(parse("a\r\nb\x07c <b>\u202ed</b>"))
    assert tidied == FormattedText("a\nb c d", (Entity("bold", 6, 1),))
    assert tidy(parse("<b>\U0001f947</b>\u202ex")) == FormattedText("\U0001f947x", (Entity("bold", 0, 2),))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escaped_text_comes_back_as_it_was(text: str) -> None:
    assert parse(html.escape(text)).text == text


@given(st.text(st.sampled_from("<>/&;=\"' #xabiquotltgpre\n\U0001f947-"), max_size=40))
def test_any_markup_is_either_refused_or_has_entities_within_its_text(source: str) -> None:
    try:
        formatted = tidy(parse(source))
    except HtmlError:
        return
    length = utf16_length(formatted.text)
    assert all(e.offset >= 0 and e.length > 0 and e.end <= length for e in formatted.entities)
    to_html(formatted)


def test_rendering_escapes_everything_that_is_text() -> None:
    assert to_html(parse("<b>&lt;script&gt; &amp; &quot;</b>")) == "<b>&lt;script&gt; &amp; &#34;</b>"


def test_rendering_nests_overlapping_formatting_properly() -> None:
    crossing = FormattedText("abc", (Entity("bold", 0, 2), Entity("italic", 1, 2)))
    assert to_html(crossing) == "<b>a<i>b</i></b><i>c</i>"


def test_rendering_links_only_to_safe_addresses() -> None:
    safe = to_html(FormattedText("x", (Entity("text_link", 0, 1, 'https://e.com/"><i>'),)))
    unsafe = to_html(FormattedText("x", (Entity("text_link", 0, 1, "javascript:alert(1)"),)))
    assert safe.startswith('<a href="https://e.com/&#34;&gt;&lt;i&gt;" ')
    assert unsafe == '<span class="text_link">x</span>'
