"""How the page looks: Gradio's theme variables, light and dark, and the style sheet beside them.

The tokens (``--es-*``) are the only colours; the theme and ``assets/earshot.css`` both use them. System fonts only: the
page asks nothing of the network.
"""

from __future__ import annotations

import gradio as gr

from comparisons import report
from comparisons.colours import DARK, LIGHT, tokens
from comparisons.sides.drawn import view_css
from ui.templates import ASSETS

SHEETS = (
    *("earshot.css", "picker.css", "results.css", "prompts.css", "ask.css", "models.css"),
    *("history.css", "outcome.css", "reviews.css"),
)
"""Files of ``assets``, in order."""


def style_sheet() -> str:
    """The tokens and the style sheets as one text, for ``launch(css=…)``."""
    sheets = [report.columns_css(), *((ASSETS / name).read_text(encoding="utf-8") for name in SHEETS), view_css()]
    return "\n".join([f":root{{{tokens(LIGHT)}}}", f".dark{{{tokens(DARK)}}}", *sheets])


def theme() -> gr.themes.Base:
    """Gradio's own components in the colours, radii and type of the page."""
    sans = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif")
    look = gr.themes.Base(
        font=sans,
        font_mono=("ui-monospace", "Consolas", "DejaVu Sans Mono", "monospace"),
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_md,
    )
    same_in_both = {
        "body_background_fill": "var(--es-page)",
        "body_text_color": "var(--es-ink)",
        "body_text_color_subdued": "var(--es-soft)",
        "background_fill_primary": "var(--es-card)",
        "background_fill_secondary": "var(--es-page)",
        "border_color_primary": "var(--es-line)",
        "border_color_accent": "var(--es-accent)",
        "border_color_accent_subdued": "var(--es-line)",
        "color_accent_soft": "var(--es-page)",
        "link_text_color": "var(--es-accent)",
        "link_text_color_hover": "var(--es-accent)",
        "link_text_color_active": "var(--es-accent)",
        "link_text_color_visited": "var(--es-accent)",
        "block_background_fill": "transparent",
        "block_border_color": "var(--es-line)",
        "block_border_width": "0px",
        "block_info_text_color": "var(--es-soft)",
        "block_label_background_fill": "transparent",
        "block_label_text_color": "var(--es-soft)",
        "block_title_text_color": "var(--es-soft)",
        "panel_background_fill": "var(--es-card)",
        "input_background_fill": "var(--es-card)",
        "input_background_fill_focus": "var(--es-card)",
        "input_border_color": "var(--es-line)",
        "input_border_color_focus": "var(--es-accent)",
        "input_placeholder_color": "var(--es-soft)",
        "button_primary_background_fill": "var(--es-accent)",
        "button_primary_background_fill_hover": "var(--es-accent)",
        "button_primary_border_color": "var(--es-accent)",
        "button_primary_text_color": "var(--es-on-accent)",
        "button_secondary_background_fill": "var(--es-card)",
        "button_secondary_background_fill_hover": "var(--es-page)",
        "button_secondary_border_color": "var(--es-line)",
        "button_secondary_border_color_hover": "var(--es-edge)",
        "button_secondary_text_color": "var(--es-ink)",
        "table_border_color": "var(--es-line)",
        "table_even_background_fill": "var(--es-card)",
        "table_odd_background_fill": "var(--es-card)",
        "table_text_color": "var(--es-ink)",
        "loader_color": "var(--es-accent)",
    }
    return look.set(
        **same_in_both,
        **{f"{name}_dark": value for name, value in same_in_both.items() if name not in {"table_text_color"}},
        color_accent="var(--es-accent)",
        block_padding="0px",
        block_radius="10px",
        block_shadow="none",
        block_label_border_width="0px",
        block_title_text_size="13px",
        input_border_width="1px",
        input_shadow="none",
        input_shadow_focus="none",
        input_radius="8px",
        input_text_size="14px",
        layout_gap="12px",
        button_border_width="1px",
        button_large_padding="7px 14px",
        button_large_text_size="15px",
        button_small_padding="5px 12px",
        button_small_text_size="13px",
        button_small_text_weight="400",
        button_large_radius="8px",
        button_small_radius="8px",
        button_transition="none",
        button_transform_hover="none",
        button_transform_active="none",
    )
