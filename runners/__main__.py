"""``python -m runners``: every system, and whether it can run here. The table is for people, ``--json`` for programs,
``--table`` for a document.

Exit status: 0, or 2 for wrong usage or wrong settings.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from collections.abc import Sequence

from runners.base import Availability, RunnerSpec
from runners.catalogue.listing import markdown
from runners.catalogue.names import UnknownRunner, offered
from runners.here.availability import as_plain, availability
from runners.here.machine import Machine, probe
from runners.here.need import gigabytes
from runners.here.reasons import by_reason
from runners.settings import SettingsError, read_settings
from runners.terminal import plain


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the systems. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m runners", description="Say which systems can run on this machine.")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON instead of a table")
    form.add_argument(
        "--table", action="store_true", help="print what the systems are as Markdown, whether they can run here or not"
    )
    parser.add_argument(
        "--runners",
        metavar="NAMES",
        help="only these, comma-separated: family, or family:model[@revision] with a hub id or a folder; "
        "+precision and +device may follow",
    )
    chosen = parser.parse_args(arguments)
    try:
        settings = read_settings(runners=chosen.runners)
        specs = offered(settings)
    except SettingsError as error:
        sys.stderr.write(f"Wrong settings: {plain(str(error))}\n")
        return 2
    except UnknownRunner as error:
        sys.stderr.write(f"{plain(f'{error} {error.fix}')}\n")
        return 2
    if chosen.table:
        sys.stdout.write(markdown(specs))
        return 0
    machine = probe()
    rows = [(spec, availability(spec, machine, settings)) for spec in specs]
    if chosen.json:
        answer = [as_plain(spec, found) for spec, found in rows]
        sys.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(table(machine, rows, width=shutil.get_terminal_size((100, 24)).columns))
    return 0


def table(machine: Machine, rows: Sequence[tuple[RunnerSpec, Availability]], width: int = 100) -> str:
    """The systems as aligned text: those that can run, then those that cannot, each with its reason and its fix."""
    devices = "; ".join(
        f"{plain(device.name)}, {gigabytes(device.free_bytes)} free" if device.free_bytes is not None else plain(device.name)
        for device in machine.devices
    )
    lines = [f"This machine: {devices}; {machine.cores} {'core' if machine.cores == 1 else 'cores'}."]
    lines += [f"Note: {plain(note)}" for note in machine.notes]
    cells: list[tuple[str, ...]] = [("NAME", "STATE", "DEVICE", "PRECISION", "MEMORY", "PARAMETERS", "REVISION")]
    ready = [(spec, found) for spec, found in rows if found.ok]
    for spec, found in ready:
        place = found.placement
        download = f" {gigabytes(found.download_bytes)}" if found.download_bytes is not None else ""
        cells.append(
            (
                plain(spec.name),
                found.state + download,
                _where(spec, found),
                place.dtype if spec.server is None else "",
                gigabytes(place.need_bytes) if place.need_bytes is not None else "" if spec.server is not None else "unknown",
                f"{spec.parameters / 1e6:.0f} M" if spec.parameters is not None else "unknown",
                plain(spec.revision or ""),
            )
        )
    if not any(spec.revision for spec, _ in ready):
        cells = [row[:-1] for row in cells]
    if ready:
        widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
        lines += ["", *("  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in cells)]
    skipped = by_reason(rows)
    if skipped:
        lines += ["", "SKIPPED"]
    for group in skipped:
        for spec in group.specs:
            pinned = f" ({spec.model}@{spec.revision})" if spec.is_default and spec.revision else ""
            lines.append(plain(spec.name + pinned))
        for sentence in (group.reason, f"Fix: {group.fix}" if group.fix else None):
            if sentence:
                lines += textwrap.wrap(
                    plain(sentence), max(40, width), initial_indent="    ", subsequent_indent="    ",
                    break_long_words=False, break_on_hyphens=False,
                )  # fmt: skip
    return "\n".join(lines) + "\n"


def _where(spec: RunnerSpec, found: Availability) -> str:
    """Where a system runs: a device, or the name of a server."""
    if spec.server is not None:
        return plain(spec.server.name)
    return f"{found.placement.device}, spread" if found.placement.spread else found.placement.device


if __name__ == "__main__":
    sys.exit(main())
