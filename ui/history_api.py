"""The endpoints of the API for what is kept: each gives and changes what is its caller's, and knows of nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from comparisons import report
from comparisons.history.kept import Kept, Whose
from comparisons.history.store import History
from comparisons.links import Link, Links
from runners.base import RunnerError
from ui.desk import Desk, Refused, said
from ui.doors import address
from ui.people import person
from ui.shared import PATH

MOST_LISTED = 200


def history_api(desk: Desk) -> None:
    """Build the endpoints ``/history``, ``/kept``, ``/describe``, ``/delete``, ``/restore``, ``/link``, ``/links`` and
    ``/withdraw`` inside a ``gr.Blocks``."""

    @contextmanager
    def asked(request: gr.Request) -> Iterator[tuple[History, Whose]]:
        """The history, and whose of it the caller may see; faults as the API tells them."""
        try:
            if desk.history is None:
                raise Refused("Nothing is kept here.", "Whoever runs this can start it with --history.")
            yield desk.history, person(request, desk.settings).whose
        except RunnerError as fault:
            raise gr.Error(said(fault), print_exception=False) from fault

    def history(
        request: gr.Request, search: str = "", tag: str = "", deleted: bool = False, limit: int = 50, offset: int = 0
    ) -> dict[str, Any]:
        """Kept comparisons, the newest first; those in the bin instead, if wished."""
        with asked(request) as (all_kept, whose):
            if not (0 < limit <= MOST_LISTED and 0 <= offset < 2**62):
                raise Refused("There is no such part of the list.", f"Ask for 1 to {MOST_LISTED} at once.")
            page = all_kept.list(whose, search=search, tag=tag or None, deleted=deleted, limit=limit, offset=offset)
            return {"total": page.total, "comparisons": [_row(each) for each in page.rows]}

    def kept(request: gr.Request, comparison: str) -> dict[str, Any]:
        """A kept comparison, whole."""
        with asked(request) as (all_kept, whose):
            return report.to_dict(all_kept.comparison(comparison, whose).comparison)

    def describe(
        request: gr.Request, comparison: str, title: str | None = None, tags: list[str] | None = None, notes: str | None = None
    ) -> dict[str, Any]:
        """Name, tag or note something beside a kept comparison; what is left out stays as it is."""
        with asked(request) as (all_kept, whose):
            all_kept.get(comparison, whose)
            if title is not None:
                all_kept.rename(comparison, title, whose)
            if tags is not None:
                all_kept.set_tags(comparison, tags, whose)
            if notes is not None:
                all_kept.set_notes(comparison, notes, whose)
            return _row(all_kept.get(comparison, whose))

    def delete(request: gr.Request, comparison: str) -> dict[str, Any]:
        """Put a kept comparison into the bin, where it stays for a day."""
        with asked(request) as (all_kept, whose):
            all_kept.bin.put(comparison, whose)
            return _row(all_kept.get(comparison, whose))

    def restore(request: gr.Request, comparison: str) -> dict[str, Any]:
        """Take a comparison out of the bin."""
        with asked(request) as (all_kept, whose):
            all_kept.bin.restore(comparison, whose)
            return _row(all_kept.get(comparison, whose))

    def link(request: gr.Request, comparison: str, names: bool = True) -> dict[str, Any]:
        """A new read-only address of a kept comparison, with the systems' names or with letters in place of them."""
        with asked(request) as (all_kept, whose):
            return _link(Links(all_kept).make(comparison, whose, names=names), request)

    def links(request: gr.Request, comparison: str) -> list[dict[str, Any]]:
        """The addresses of a kept comparison, the newest first."""
        with asked(request) as (all_kept, whose):
            return [_link(each, request) for each in Links(all_kept).of(comparison, whose)]

    def withdraw(request: gr.Request, token: str) -> None:
        """End an address at once."""
        with asked(request) as (all_kept, whose):
            Links(all_kept).withdraw(token, whose)

    gr.api(history, api_name="history", api_description="Kept comparisons, the newest first; those in the bin, if wished.")
    gr.api(kept, api_name="kept", api_description="A kept comparison, whole.")
    gr.api(describe, api_name="describe", api_description="Name, tag or note a kept comparison; what is left out stays.")
    gr.api(delete, api_name="delete", api_description="Put a kept comparison into the bin, where it stays for a day.")
    gr.api(restore, api_name="restore", api_description="Take a comparison out of the bin.")
    gr.api(link, api_name="link", api_description="A new read-only address of a kept comparison, with names or letters.")
    gr.api(links, api_name="links", api_description="The addresses of a kept comparison.")
    gr.api(withdraw, api_name="withdraw", api_description="End an address at once.")


def _row(kept: Kept) -> dict[str, Any]:
    """A row of the list as JSON; times in UTC, ISO 8601."""
    return {
        "id": kept.id,
        "title": kept.title,
        "source": kept.source,
        "seconds": kept.seconds,
        "made_at": kept.made_at.isoformat(),
        "changed_at": kept.changed_at.isoformat(),
        "deleted_at": kept.deleted_at.isoformat() if kept.deleted_at is not None else None,
        "has_audio": kept.has_audio,
        "tags": list(kept.tags),
        "notes": kept.notes,
        "systems": [
            {"contender": each.name, "label": each.label, "status": each.state, "rates": dict(each.rates), "rtf": each.rtf}
            for each in kept.systems
        ],
    }


def _link(link: Link, request: gr.Request) -> dict[str, Any]:
    return {
        "token": link.token,
        "address": address(request, PATH + link.token),
        "names": link.names,
        "made_at": link.made_at.isoformat(),
    }
