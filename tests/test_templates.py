"""What the templates' filters make of untrusted text."""

from __future__ import annotations

from runners.base import Availability, RunnerSpec
from tests.markup import Tags
from ui.templates import html_of, linked
from ui.views import absent

HOSTILE = "<img src=x onerror=\"alert('1')\">&amp;{{7*7}}${7*7}"


def test_the_hubs_addresses_are_links_and_nothing_else_is() -> None:
    html = str(linked(f"Accept it at https://huggingface.co/google/gemma-3n, then {HOSTILE} http://elsewhere/x"))
    assert 'href="https://huggingface.co/google/gemma-3n" target' in html
    assert html.count("<a ") == html.count("href=") == 1
    assert "img" not in Tags(html).names
    gated = Availability("skipped", "Gated.", "Accept it at https://huggingface.co/a/b-c.")
    rows = [(RunnerSpec(name, name, "x:Y", is_default=True), gated) for name in "abcde"]
    assert 'href="https://huggingface.co/a/b-c"' in absent(rows)


def test_what_is_put_into_a_template_is_text() -> None:
    html = html_of("summary.html", names=[HOSTILE], rows=[], normaliser=HOSTILE)
    assert "img" not in Tags(html).names
    assert HOSTILE in Tags(html).text
