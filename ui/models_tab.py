"""The Models tab: models are fetched there, and removed; and the API's ``/models`` and ``/download``."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr

from runners.base import RunnerError
from runners.here.need import gigabytes
from runners.hub import cache
from runners.hub.downloadable import disk_free_bytes
from runners.hub.kept import NotRemoved, as_plain, clear_leftovers, kept, remove, systems_of
from runners.hub.queue import Download, DownloadQueue
from ui.components import script
from ui.desk import Desk, Refused, said
from ui.shelf import May, Wanted, drawn, wanted

TELL_SECONDS = 0.5
"""Between two steps that ``/download`` gives."""

JUDGED_SECONDS = 5.0
"""What is not here, and why it cannot be fetched, is looked at again after so long."""


class Shelf:
    """What the tab and the API do; one for a page, shared by its visitors."""

    def __init__(self, desk: Desk, queue: DownloadQueue | None = None) -> None:
        self._desk = desk
        self._settings = desk.settings
        self.queue = DownloadQueue(desk.settings) if queue is None else queue
        self.may = May(
            download=desk.settings.visitors_download,
            remove=desk.settings.visitors_remove,
            see_folders=desk.settings.show_logs,
        )
        self._removed = 0
        self._removing = threading.Lock()
        self._judged: tuple[float, int, list[Wanted]] | None = None
        """When it was looked what is not here, and how often models had come and gone by then."""

    def shelf(self, asked: Any) -> dict[str, Any]:
        """Do what is asked and tell how things are.

        Args:
            asked: from a browser: ``{}``, or ``{"do": …, "name": …}`` with "download" and a system's name, "cancel" or
                "dismiss" and a download's, or "remove" and a kind and a name.

        Returns:
            ``html``; ``busy``, whether to ask again soon; ``said``, what came of it; ``landed``, a number that is another one
            once other models are here.
        """
        told = ""
        if isinstance(asked, Mapping) and isinstance(asked.get("do"), str) and isinstance(asked.get("name"), str):
            try:
                told = self._do(asked["do"], asked["name"])
            except RunnerError as fault:
                told = said(fault)
        downloads = self.queue.downloads()
        landed = self._removed + self.queue.fetched
        html = drawn(
            downloads,
            kept(self._settings.cache_folder),
            self._wanted(landed, anew=bool(told)),
            systems=systems_of(self._settings),
            loaded=self._in_use(),
            free_bytes=disk_free_bytes(cache.cache_folder()),
            settings=self._settings,
            may=self.may,
        )
        return {"html": html, "busy": self.queue.is_busy(), "said": told, "landed": landed}

    def models(self) -> list[dict[str, Any]]:
        """The models on this machine, the largest first."""
        return [as_plain(each, self.may.see_folders) for each in kept(self._settings.cache_folder)]

    def download(self, runner: str) -> Iterator[dict[str, Any]]:
        """Fetch a system's model; gives how far that is, and ends when it is over. A download goes on if nobody listens."""
        try:
            name = self._add(runner).name
        except RunnerError as fault:
            raise gr.Error(said(fault), print_exception=False) from fault
        while (now := self.queue.wait(name, TELL_SECONDS)) is not None:
            yield plain(now)
            if now.is_over:
                return

    def _wanted(self, landed: int, anew: bool) -> list[Wanted]:
        """What is not here. It takes long to judge every system, and somebody who watches a download asks each second."""
        now, known = time.monotonic(), self._judged
        if anew or known is None or now - known[0] > JUDGED_SECONDS or known[1] != landed:
            self._judged = known = (now, landed, wanted(self._desk.offers(), self._settings))
        return known[2]

    def _do(self, what: str, name: str) -> str:
        if what == "remove":
            return self._remove(name)
        if what == "download":
            return f"{self._add(name).spec.label} will be fetched."
        if not self.may.download:
            raise Refused("Visitors do not stop downloads here.", "Ask whoever runs this page.")
        if what == "cancel":
            self.queue.cancel(name)
            self.queue.wait(name, 2.0)  # so that the answer shows it
        elif what == "dismiss":
            self.queue.dismiss(name)
        return ""

    def _add(self, runner: str) -> Download:
        if not self.may.download:
            raise Refused("Visitors do not start downloads here.", "Ask whoever runs this page.")
        return self.queue.add(self._desk.spec(runner))

    def _remove(self, name: str) -> str:
        if not self.may.remove:
            raise Refused("Visitors do not remove models here.", "Ask whoever runs this page.")
        kind, _, title = name.partition(" ")
        with self._removing:
            clear_leftovers(self._settings.cache_folder)
            each = next((each for each in kept(self._settings.cache_folder) if (each.kind, each.name) == (kind, title)), None)
            if each is None:
                raise NotRemoved(f"{title} is not here any more.", "Nothing is left to do.")
            busy = self._in_use().get(title)
            if busy is not None:
                raise NotRemoved(f"{title} stays: {busy}", "Try again later.")
            freed_bytes = remove(each, self._settings.cache_folder)
            self._removed += 1
        return f"{each.made_of or each.name} is removed: {gigabytes(freed_bytes)} freed."

    def _in_use(self) -> dict[str, str]:
        """Why a model may not be removed now, by its hub id."""
        found = {spec.model: "It is loaded now." for spec in self._desk.loaded() if spec.model}
        fetched = {each.spec.model: "It is being fetched." for each in self.queue.downloads() if not each.is_over}
        return {**found, **{model: why for model, why in fetched.items() if model}}


def plain(each: Download) -> dict[str, Any]:
    """A download as plain data, for JSON; unknown is None."""
    return {
        "name": each.name,
        "state": each.state,
        "place": each.place,
        "done_bytes": each.done_bytes,
        "total_bytes": each.total_bytes,
        "bytes_per_second": each.bytes_per_second,
        "seconds_left": each.seconds_left,
        "error": each.error,
        "fix": each.fix,
    }


def models_tab(desk: Desk, shelf: Shelf | None = None) -> gr.HTML:
    """Build the tab inside a ``gr.Tab``, and the API's endpoints.

    Event ``landed`` of what it returns: other models are here than before, so that cards may say something else.
    """
    made = Shelf(desk) if shelf is None else shelf

    def told(asked: Any) -> dict[str, Any]:
        """Gradio marks the function, which a method does not take."""
        return made.shelf(asked)

    def models() -> list[dict[str, Any]]:
        """The models that lie on this machine."""
        return made.models()

    def download(runner: str) -> Iterator[dict[str, Any]]:
        """Fetch a system's model."""
        yield from made.download(runner)

    tab = gr.HTML(
        None,
        html_template='<div class="es-models"><div class="es-models-find">'
        '<input type="search" aria-label="Search models" placeholder="Search models" autocomplete="off" spellcheck="false">'
        '<button type="button" class="es-clear" hidden>Clear</button><span role="status" aria-live="polite"></span></div>'
        '<div class="es-models-list"></div></div>',
        js_on_load=script("morph.js", "models.js"),
        apply_default_css=False,
        elem_id="es-models",
        server_functions=[told],
    )
    gr.api(models, api_name="models", api_description="The models that lie on this machine, with their sizes.")
    gr.api(download, api_name="download", api_description="Fetch a system's model; streams how far that is.")
    return tab
