"""The transcripts side by side as a component of the page: read, walked through and heard."""

from __future__ import annotations

import gradio as gr

from comparisons.sides.drawn import view_html, view_script
from ui.components import script


def side_by_side_view() -> gr.HTML:
    """The view. Value: text of ``comparisons.sides.drawn.plain``, or "" while there is nothing to see: one text, so that
    Gradio carries it without looking into it, for its page copies what it shows a dozen times.

    Events: ``against`` carries ``{"against": …}``, what the transcripts are to be held against; ``use`` carries
    ``{"name": …}``, whose text is to be the reference: a contender's name, or "majority"; ``unplayable`` says that this
    browser cannot play the clip. Its answer is the prop ``copy``: ``{"of": the audio of the value, "audio": address of a
    copy that plays or None, "fault": what to say if there is none}``.
    """
    return gr.HTML(
        "",
        html_template=view_html(),
        js_on_load=script("view.host.js") + view_script(),
        apply_default_css=False,
        elem_id="es-view",
        copy=None,
    )
