"""The page around the tabs, and its server."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from pathlib import Path
from typing import NoReturn

import gradio as gr
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from comparisons.links import Links
from runners.pool import Pool
from runners.settings import Settings
from ui import views
from ui.api import api
from ui.ask_tab import ask_tab
from ui.compare_tab import compare_tab
from ui.desk import Desk
from ui.history_api import history_api
from ui.history_tab import history_tab
from ui.lookout import Lookout
from ui.models_tab import models_tab
from ui.people import Visits, accounts, signs_in_with_hugging_face
from ui.prompts_panel import own_prompts, prompts_panel
from ui.review_pages import review_pages
from ui.reviews_tab import reviews_tab
from ui.samples import samples
from ui.shared import shared
from ui.theme import style_sheet, theme

COMPARE = "compare"
"""Id of that tab."""
VISITORS_AT_ONCE = 16
"""Events of a kind that run at once; they mostly wait for the device, which serves one after another."""
LONGEST_QUEUE = 64
MADE_BEFORE_COLLECTING = 100_000
"""New objects after which Python looks for cycles among them (700 by itself). An hour of speech in eight columns is that
many words, none of them in a cycle: looking after each 700 takes a third of what drawing them takes."""


def build_page(desk: Desk) -> gr.Blocks:
    """The whole page; nothing is loaded or looked for yet but processors and memory."""
    settings = desk.settings

    async def probed() -> str:
        await desk.lookout.settled()
        return views.machine_line(desk.lookout(), settings.downloads)

    def left(request: gr.Request) -> None:
        """The tab was closed: nobody waits for its comparison or its answer any more."""
        desk.leave(request.session_hash)

    keep = settings.upload_keep_seconds
    with gr.Blocks(title="Earshot", analytics_enabled=False, fill_width=True, delete_cache=(min(keep, 600), keep)) as page:
        with gr.Column(elem_id="es-shell"):
            gr.HTML("<h1>Earshot</h1>", apply_default_css=False, elem_id="es-name")
            about = gr.HTML(
                views.machine_line(desk.lookout(), settings.downloads),
                html_template="{{value}}",
                apply_default_css=False,
                elem_id="es-machine",
            )
            if signs_in_with_hugging_face(settings):
                gr.LoginButton(size="sm", elem_id="es-login")
            store = own_prompts(desk)
            with gr.Tabs(elem_id="es-tabs") as tabs:
                with gr.Tab("Compare", id=COMPARE):
                    given = compare_tab(page, desk, store)
                ask_tab(desk, store, given)
                with gr.Tab("History"):
                    history_tab(desk, given, tabs, COMPARE)
                with gr.Tab("Reviews"):
                    reviews_tab(desk)
                with gr.Tab("Prompts"):
                    prompts_panel()
                with gr.Tab("Models"):
                    given.look_again(models_tab(desk).landed)
        api(desk)
        history_api(desk)
        page.load(probed, outputs=about, queue=False, show_progress="hidden", api_visibility="private")
        page.unload(left)
    return page.queue(max_size=LONGEST_QUEUE, default_concurrency_limit=VISITORS_AT_ONCE)


def launch(desk: Desk) -> gr.Blocks:
    """The page on its port, with the doors beside it; gives it back at once.

    Raises:
        SettingsError: nobody could sign in as the settings have it.
        OSError: the port cannot be had.
    """
    settings = desk.settings
    auth = accounts(settings)
    page = build_page(desk)
    page.launch(
        server_name=settings.host,
        server_port=settings.port or None,
        share=settings.share,
        auth=auth,
        app_kwargs={
            "middleware": [Middleware(Visits, settings=settings)],
            "routes": _doors(desk),
        },
        prevent_thread_lock=True,
        max_file_size=int(settings.max_file_mb * 1e6),
        allowed_paths=[str(sample.path) for sample in samples()],
        theme=theme(),
        css=style_sheet(),
        footer_links=["api"],
        ssr_mode=False,
        favicon_path=str(Path(__file__).parent / "assets" / "earshot.svg"),
    )
    return page


def _doors(desk: Desk) -> list[BaseRoute]:
    """What is reached beside the page: without a history there is nothing to show."""
    shown = [*shared(Links(desk.history))] if desk.history is not None else []
    judged = [*review_pages(desk.reviews)] if desk.reviews is not None else []
    return [*shown, *judged]


def serve(settings: Settings) -> NoReturn:
    """Serve the page until a KeyboardInterrupt, then end every child.

    Raises:
        SettingsError: nobody could sign in as the settings have it.
        OSError: the port cannot be had.
    """
    lookout = Lookout()
    pool = Pool(settings, lookout)
    try:
        launch(Desk(settings, pool, lookout))
        threading.Thread(target=lookout.probe, name="probe", daemon=True).start()
        threading.Thread(target=_settled, name="settled", daemon=True).start()
        while True:
            time.sleep(3600)
    finally:
        pool.close()  # and not the page: closing that waits for whoever is still being served


def _settled() -> None:
    """Once the page stands: what its first event would wait for, and the end of looking for garbage in what stays."""
    with contextlib.suppress(Exception):  # Gradio asks it for its backend at each event, if it is there
        import matplotlib

        matplotlib.get_backend()
    gc.collect()
    gc.freeze()
    gc.set_threshold(MADE_BEFORE_COLLECTING, 20, 20)
