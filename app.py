"""Earshot's page: read the settings, build the page, launch.

``python app.py --help`` lists the flags. Importing this module loads no model and no framework of one.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

from runners.base import RunnerError
from runners.catalogue.presets import check_names
from runners.settings import IN_THE_FILE_ALONE, Settings, SettingsError, read_settings
from runners.settings_file import SETTINGS_FILE

FLAGS: dict[str, tuple[str, dict[str, Any]]] = {
    "host": ("address to listen on; 0.0.0.0 lets other machines in", {"metavar": "ADDRESS"}),
    "port": ("port to listen on; 0 takes any free one", {"metavar": "N"}),
    "share": ("open a public gradio.live link", {"action": argparse.BooleanOptionalAction}),
    "runners": ("the systems offered, by name, separated by commas; all that Earshot knows if not given", {"metavar": "NAMES"}),
    "extra_runners": ("systems offered besides, e.g. whisper:openai/whisper-medium or ctc:/models/mine", {"metavar": "NAMES"}),
    "disabled_runners": ("families or names shown as switched off", {"metavar": "NAMES"}),
    "owners": (
        "who sees and changes what everybody keeps, by the names they sign in with; all who may sign in if not given",
        {"metavar": "NAMES"},
    ),
    "chosen": ("the systems ticked on a first visit; those that come with Earshot if not given", {"metavar": "NAMES"}),
    "device": ("where models run: auto, cpu, cuda, rocm, mps or xpu", {"metavar": "DEVICE"}),
    "dtype": ("precision: auto, float32, bfloat16, float16, int8 or int4", {"metavar": "DTYPE"}),
    "isolation": ("process: each model in a child process; inline: inside this one", {"metavar": "WHERE"}),
    "memory_budget_gb": ("memory that warm models may hold together; half of what is free if not given", {"metavar": "GB"}),
    "chat_memory_gb": (
        "memory that one system's conversations may keep; a quarter of what is free if not given",
        {"metavar": "GB"},
    ),
    "idle_unload_seconds": ("a model unused for so long is unloaded", {"metavar": "S"}),
    "load_timeout_seconds": ("deadline for loading a model, downloads apart", {"metavar": "S"}),
    "transcribe_timeout_seconds": ("deadline for one run over a clip, besides the clip's own share", {"metavar": "S"}),
    "transcribe_timeout_per_second": ("what each second of audio adds to that deadline", {"metavar": "S"}),
    "max_clip_seconds": ("longest clip that is taken", {"metavar": "S"}),
    "max_file_mb": ("largest file that is taken", {"metavar": "MB"}),
    "downloads": ("let a run fetch weights from the Hugging Face hub", {"action": argparse.BooleanOptionalAction}),
    "visitors_add_models": (
        "let the page and the API take any hub id or folder of this machine",
        {"action": argparse.BooleanOptionalAction},
    ),
    "visitors_download": (
        "let the page start the download of a model that is offered",
        {"action": argparse.BooleanOptionalAction},
    ),
    "visitors_remove": (
        "let the page remove models from this machine",
        {"action": argparse.BooleanOptionalAction},
    ),
    "show_logs": (
        "show the last lines of a skipped system's log on the page",
        {"action": argparse.BooleanOptionalAction},
    ),
    "upload_keep_seconds": ("uploaded files are deleted after so long", {"metavar": "S"}),
    "prompts_file": ("prompt templates of your own, TOML; prompts.toml where it is there", {"metavar": "FILE"}),
    "history": ("keep each finished comparison", {"action": argparse.BooleanOptionalAction}),
    "history_folder": ("where they are kept", {"metavar": "FOLDER"}),
    "keep_audio": ("keep the audio of their clips too", {"action": argparse.BooleanOptionalAction}),
    "cache_folder": ("where converted models are kept", {"metavar": "FOLDER"}),
}
"""A flag for every field of ``Settings`` that is not a table: what it says, and how argparse takes it."""


def flags() -> argparse.ArgumentParser:
    """The command line; a flag that is not given stays None, so that the environment and ``earshot.toml`` count."""
    parser = argparse.ArgumentParser(
        prog="python app.py",
        description="See what several speech-to-text systems make of a clip, side by side.",
        epilog=f"Each flag can also be set as the variable in brackets, or in {SETTINGS_FILE}; flags win. "
        f"That file alone has the tables: {', '.join(IN_THE_FILE_ALONE)}.",
    )
    for field, (says, options) in FLAGS.items():
        default = Settings.model_fields[field].get_default(call_default_factory=True)
        shown = "" if default in (None, ()) else f"; {'on' if default is True else 'off' if default is False else default}"
        parser.add_argument(
            f"--{field.replace('_', '-')}",
            default=None,
            help=f"{says} (EARSHOT_{field.upper()}{shown})",
            **options,
        )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until it is ended. Returns 2 for wrong settings or a port in use."""
    given = vars(flags().parse_args(arguments))
    try:
        settings = read_settings(**given)
        check_names(settings)
    except SettingsError as error:
        return _wrong(f"Earshot cannot start with these settings:\n{error}")
    except RunnerError as error:
        return _wrong(f"Earshot cannot offer this: {error} {error.fix or ''}")

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for room in ("ui", "comparisons", "runners"):
        logging.getLogger(room).setLevel(logging.INFO)
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("MPLBACKEND", "agg")  # else Gradio's first event looks for a window system, for most of a second
    from ui.page import serve

    signal.signal(signal.SIGTERM, _leave)  # so that children end with the page
    try:
        serve(settings)
    except KeyboardInterrupt:
        return 0
    except SettingsError as error:
        return _wrong(f"Earshot cannot start with these settings:\n{error}")
    except RunnerError as error:
        return _wrong(f"Earshot cannot start: {error} {error.fix or ''}")
    except OSError as error:
        return _wrong(f"Earshot cannot listen on {settings.host}:{settings.port}: {error}\nChoose another with --port.")


def _wrong(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201
    return 2


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
