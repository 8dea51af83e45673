"""What is asked on the command line, read and checked before anything is done."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from comparisons.beyond.measures import key_terms_in
from comparisons.exports import FORMS
from comparisons.normalise import NORMALISERS, Normaliser, choose, normaliser
from comparisons.reading import schema
from comparisons.reference import Reference, read_references, text_of
from comparisons.references.manifests import entries
from comparisons.score import METRICS, Metric, choose_metric
from runners.base import Contender, PromptError, RunnerError
from runners.catalogue.contenders import contender_for, unused
from runners.catalogue.names import spec_for
from runners.prompts import VARIABLES, Templates
from runners.settings import Settings, SettingsError, read_settings
from runners.terminal import plain, results, variable

MANIFEST = "give --reference-file a manifest (.json, .jsonl) with audio_filepath and text of each"

EPILOG = """\
A runner is named family (its default model) or family:model[@revision], where model is a hub id or a local folder;
"python -m runners" lists them. "whisper+bfloat16,whisper+float32" is one system at two precisions: two contenders. A comma
inside a folder's name is written "\\,". A system that takes a prompt can be told what to do by a prompt template after a #:
"phi4-multimodal#verbatim,phi4-multimodal#readable" are two contenders. Only transcriptions are scored.

A reference file is plain text, captions (.srt, .vtt), a transcript with segments (.json), or a manifest of several clips
(.json, .jsonl; NeMo's keys are known) in which each clip finds its own reference by its file name.

formats:
{formats}
Captions are written where a system says when its words or phrases were said; several files go into the folder --output.

exit codes:
  0    at least one contender ran
  2    wrong usage, or none of the clips could be read (a clip that cannot be read beside others is reported and left out)
  3    every contender was skipped
  130  interrupted with Ctrl-C; what had finished is printed
"""


FORMATS = ("table", "json", "csv", "markdown", "html", "srt", "vtt")
"""Out of ``comparisons.exports.FORMS``."""


@dataclass(frozen=True)
class Asked:
    """One command, checked."""

    clips: tuple[Path, ...]
    contenders: tuple[Contender, ...]
    settings: Settings
    references: Mapping[Path, Reference]
    """Of those clips that have one."""
    language: str | None
    normaliser: Normaliser | None
    """For every clip; None leaves it to each."""
    metric: Metric | None
    """For every clip; None leaves it to each."""
    key_terms: tuple[str, ...]
    repeat: int
    format: str
    """One of ``FORMATS``."""
    output: Path | None
    title: str | None
    notes: str
    has_sound: bool
    """Whether the report is to have it."""

    @property
    def makes_files(self) -> bool:
        """Whether there is a file for each clip and contender, so that ``output`` is a folder."""
        return FORMS[self.format].caption is not None and len(self.clips) * len(self.contenders) > 1


def asked(argv: Sequence[str] | None = None) -> Asked:
    """What the command line asks for; ends the process, with what is wrong and exit code 2, where that is not clear."""
    parser = _parser()
    wanted = parser.parse_args(argv)
    if wanted.reference is not None and wanted.reference_file is not None:
        parser.error("give --reference or --reference-file, not both")
    if len(wanted.clips) > 1 and wanted.reference is not None:
        parser.error(f"a reference belongs to one clip, and there are several: {MANIFEST}")
    try:
        settings = read_settings(prompts_file=wanted.prompts)
        references = _references(wanted)
        key_terms = _key_terms(wanted)
        contenders = _contenders(wanted, settings)
    except SettingsError as error:
        parser.error(str(error))
    except ValueError as error:
        parser.error(plain(str(error)))
    except OSError as error:
        parser.error(f"{error.filename or wanted.reference_file}: {error.strerror}")
    except RunnerError as error:
        parser.error(plain(f"{error} {error.fix or ''}".rstrip()))
    chosen, metric = _counted(wanted, references.values())
    found = Asked(
        tuple(wanted.clips),
        tuple(contenders),
        settings,
        references,
        wanted.language,
        chosen,
        metric,
        key_terms,
        wanted.repeat,
        wanted.format,
        wanted.output,
        wanted.title,
        wanted.notes,
        has_sound=not wanted.no_sound,
    )
    if found.output is not None and not found.output.parent.is_dir():
        parser.error(f"--output: there is no folder {found.output.parent}")
    if found.makes_files and (found.output is None or (found.output.exists() and not found.output.is_dir())):
        parser.error(f"--format {found.format} writes a file for each clip and contender: name a folder with --output")
    if found.output is not None and not _writable(found.output, may_be_folder=FORMS[found.format].caption is not None):
        parser.error(f"--output: {found.output} cannot be written")
    if found.format != "html" and (found.title is not None or found.notes or not found.has_sound):
        parser.error("--title, --notes and --no-sound are of the report: add --format html, or leave them out")
    return found


class _Schema(argparse.Action):
    """Prints and ends, as ``--help`` does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        with results() as out:
            out.write(json.dumps(schema(), indent=2) + "\n")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m comparisons",
        description="Let several speech-to-text systems hear the same clips, and compare what they say.",
        epilog=EPILOG.format(formats="".join(f"  {name:<10}{FORMS[name].says}\n" for name in FORMATS)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--schema", action=_Schema, nargs=0, help="print the JSON Schema of --format json, and end")
    parser.add_argument("clips", nargs="+", metavar="CLIP", type=Path, help="audio or video file")
    parser.add_argument(
        "--runners",
        required=True,
        action="extend",
        type=_names,
        metavar="A,B,…",
        help="the systems, separated by commas; may be given more than once",
    )
    parser.add_argument(
        "--var",
        metavar="K=V",
        action="append",
        type=variable,
        default=[],
        help=f"what a {{variable}} of the prompt templates is, one of {', '.join(VARIABLES)}; may be given more than once",
    )
    parser.add_argument("--prompts", metavar="F", type=Path, help="more prompt templates: TOML, or the page's export")
    parser.add_argument("--reference", metavar="TEXT", help='the true text; "" if nothing is said')
    parser.add_argument(
        "--reference-file", type=Path, metavar="F", help="a file with the true text: .txt, .srt, .vtt, .json, .jsonl"
    )
    parser.add_argument(
        "--language", metavar="L", type=_language, help="ISO 639-1 code of the speech, e.g. en; default: left open"
    )
    parser.add_argument(
        "--translate-to",
        metavar="L",
        type=_language,
        help="code of the language to write the speech down in; who cannot translate is skipped, and nothing is scored",
    )
    parser.add_argument(
        "--normaliser", metavar="N", choices=tuple(NORMALISERS), help=f"{', '.join(NORMALISERS)}; default: by language"
    )
    parser.add_argument("--metric", metavar="M", choices=tuple(METRICS), help=f"{', '.join(METRICS)}; default: by language")
    parser.add_argument(
        "--key-terms",
        metavar="A,B,…",
        action="append",
        default=[],
        help="what must not be missed: names, products, drugs; may be given more than once",
    )
    parser.add_argument("--key-terms-file", type=Path, metavar="F", help="a text file of them, one a line or with commas")
    parser.add_argument("--repeat", metavar="N", type=_positive, default=1, help="timed runs of each system; default: 1")
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_argument("--output", type=Path, metavar="F", help="write the results into a file instead; captions: a folder")
    parser.add_argument("--title", metavar="T", help="of the report (--format html); default: the clip's name")
    parser.add_argument("--notes", metavar="T", default="", help="what is to stand above the report")
    parser.add_argument("--no-sound", action="store_true", help="leave the sound out of the report")
    return parser


def _references(wanted: argparse.Namespace) -> dict[Path, Reference]:
    """The reference of each clip that has one.

    Raises:
        ValueError: the file cannot be read as references, or has none for one of the clips.
        OSError: it cannot be read at all.
    """
    if wanted.reference is not None:
        return {wanted.clips[0]: Reference(wanted.reference)}
    path = wanted.reference_file
    if path is None:
        return {}
    content = path.read_bytes()
    try:
        found = read_references(content, path.name, [clip.name for clip in wanted.clips])
        if len(found) > 1 and not _names_files(content):
            raise ValueError(f"it holds one reference, and there are several clips: {MANIFEST}")
        return dict(zip(wanted.clips, found, strict=True))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _counted(wanted: argparse.Namespace, references: Iterable[Reference]) -> tuple[Normaliser | None, Metric | None]:
    """The normaliser and the metric for every clip; None leaves it to each clip.

    Where those of all references are the same, a clip with a reference that has no words ("") has them too: otherwise its
    counts could not be added to the others'.
    """
    texts = [reference.text for reference in references if any(map(str.isalpha, reference.text))]
    normalisers = {choose(wanted.normaliser, wanted.language, text) for text in texts}
    metrics = {choose_metric(wanted.metric, wanted.language, text) for text in texts}
    named = normaliser(wanted.normaliser) if wanted.normaliser is not None else None
    return normalisers.pop() if len(normalisers) == 1 else named, metrics.pop() if len(metrics) == 1 else wanted.metric


def _names_files(content: bytes) -> bool:
    """Whether it is a manifest that says which file each entry is about."""
    try:
        return all(entry.source is not None for entry in entries(text_of(content)))
    except ValueError:
        return False


def _key_terms(wanted: argparse.Namespace) -> tuple[str, ...]:
    """
    Raises:
        ValueError: there are too many, one is too long, or the file is none of text.
        OSError: the file cannot be read.
    """
    texts = list(wanted.key_terms)
    if wanted.key_terms_file is not None:
        try:
            texts.append(text_of(wanted.key_terms_file.read_bytes()))
        except ValueError as error:
            raise ValueError(f"{wanted.key_terms_file}: {error}") from error
    return key_terms_in("\n".join(texts))


def _names(text: str) -> list[str]:
    names = [part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", text)]
    names = [name for name in names if name]
    if not names:
        raise argparse.ArgumentTypeError("no system is named")
    return names


def _contenders(wanted: argparse.Namespace, settings: Settings) -> list[Contender]:
    """The contenders that are named, each once.

    Raises:
        RunnerError: a system, template or variable is not known, has no value, or is a variable of none of them.
    """
    values, templates = dict(wanted.var), Templates.of(settings)
    chosen = [
        contender_for(name, templates, values, wanted.language, partial(spec_for, settings=settings)) for name in wanted.runners
    ]
    if wanted.translate_to is not None:
        chosen = [replace(each, options=replace(each.options, translate_to=wanted.translate_to)) for each in chosen]
    idle = unused(values, wanted.runners, templates)
    if idle:
        raise PromptError(
            f"--var {idle[0]}: none of the contenders has a prompt template with {{{idle[0]}}}.",
            "Leave it out, or name a template after a #, such as phi4-multimodal#terms.",
        )
    return list(dict.fromkeys(chosen))


def _language(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a language code; write en, de, zh …")
    return text.lower()


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs; write 1 or more")
    return int(text)


def _writable(path: Path, *, may_be_folder: bool) -> bool:
    """Whether a file can be written there, or into it, as far as can be told before the work is done."""
    return (may_be_folder or not path.is_dir()) and os.access(path if path.exists() else path.parent, os.W_OK)
