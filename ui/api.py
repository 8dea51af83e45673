"""The named endpoints of the API; the page's own events are private."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from comparisons import report
from comparisons.normalise import choose
from runners.availability import as_plain
from runners.base import RunnerError
from ui.compare_tab import asked, said
from ui.desk import MOST_REPEATS, Desk, Refused


def api(desk: Desk) -> None:
    """Build the endpoints ``/compare`` and ``/runners`` inside a ``gr.Blocks``."""

    def compare(
        request: gr.Request,
        clip: str | None,
        runners: str = "moonshine,pocketsphinx",
        reference: str = "",
        language: str = "",
        normaliser: str = "",
        repeat: float = 1,
    ) -> Iterator[dict[str, Any]]:
        """Run a comparison; gives the whole of it again whenever something happens, and ends with the full result."""
        names = [name.strip() for name in runners.split(",") if name.strip()]
        try:
            if repeat != int(repeat) or not 1 <= repeat <= MOST_REPEATS:
                raise Refused(f"A clip is not heard {repeat:g} times.", f"Choose 1 to {MOST_REPEATS}.")
            heard, contenders = asked(desk, clip, reference, language, names)
            chosen = choose(normaliser or None, heard.language, heard.reference or "")
        except RunnerError as fault:
            raise gr.Error(said(fault), print_exception=False) from fault
        except ValueError as fault:
            raise gr.Error(str(fault), print_exception=False) from fault
        for comparison in desk.compare(request.session_hash, heard, contenders, chosen, repeat=int(repeat)):
            yield report.to_dict(comparison)

    def runners() -> list[dict[str, Any]]:
        """Every system that is offered here, with its availability."""
        return [as_plain(spec, here) for spec, here in desk.offers()]

    # Real components rather than gr.api: they check that a path was uploaded by the caller.
    with gr.Row(visible=False):
        gr.Button().click(
            compare,
            [
                gr.Audio(type="filepath", label="clip"),
                gr.Textbox("moonshine,pocketsphinx", label="runners: names, separated by commas"),
                gr.Textbox("", label="reference: what was really said; empty if unknown"),
                gr.Textbox("", label="language: ISO 639-1 code; empty to detect it"),
                gr.Textbox("", label="normaliser: its name; empty to suit the language"),
                gr.Number(1, label="repeat: how often each system hears the clip"),
            ],
            gr.JSON(label="comparison"),
            api_name="compare",
            api_description="Run systems on a clip; streams the comparison as it stands and ends with the full result.",
        )
    gr.api(runners, api_name="runners", api_description="Every system that is offered here, with its availability.")
