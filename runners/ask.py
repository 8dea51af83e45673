"""The command line: ``python -m runners.ask CLIP --runner NAME --template NAME --question TEXT``.

Answers go to standard output as they come, everything else to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from runners.base import Clip, Contender, Prompt, PromptError, RunnerError, RunnerSpec
from runners.catalogue.contenders import split_name
from runners.catalogue.names import rows, spec_for
from runners.conversations import record
from runners.conversations.asking import Asking, Happening
from runners.conversations.conversation import Conversation, Exchange, Step, new
from runners.events import Loading, Partial, Running
from runners.pool import Pool
from runners.prompts import VARIABLES, Templates, gaps, render, typed
from runners.settings import Settings, SettingsError, read_settings
from runners.terminal import PipeClosed, StatusLine, plain, results, variable

ANSWERED, WRONG_USAGE, ALL_SKIPPED, INTERRUPTED, PIPE_CLOSED = 0, 2, 3, 130, 141
"""Exit codes; the last two are what shells give for SIGINT and SIGPIPE."""

GRACE_SECONDS = 5.0
"""How long an interrupted answer is waited for; it should take less than one."""

EPILOG = """\
A system is named family (its default model) or family:model[@revision], where model is a hub id or a local folder;
"python -m runners" lists them. "#template" at the end of the name does what --template does.

The template is asked first, then each question, in one conversation. A template with {question} in it gives every
question its wording instead.

exit codes:
  0    at least one question was answered
  2    wrong usage, or the clip could not be read
  3    no question was answered
  130  interrupted with Ctrl-C; what was answered is printed
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Ask about a clip; returns the exit code."""
    parser = _parser()
    wanted = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    try:
        settings = read_settings(prompts_file=wanted.prompts)
        spec, prompts = _asked(wanted, Templates.of(settings), settings)
    except SettingsError as error:
        parser.error(str(error))
    except RunnerError as error:
        parser.error(plain(_with_fix(error)))
    try:
        with results() as out:
            return _run(wanted, settings, spec, prompts, out)
    except PipeClosed:
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runners.ask",
        description="Ask a system that can chat about what is said in a clip.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clip", metavar="CLIP", type=Path, help="audio or video file")
    parser.add_argument("--runner", required=True, metavar="NAME", help="the system, e.g. phi4-multimodal:FOLDER")
    parser.add_argument("--template", metavar="NAME", help="a prompt template, built in or from --prompts")
    parser.add_argument(
        "--var", metavar="K=V", action="append", type=variable, default=[], help="what a {variable} of the template is"
    )
    parser.add_argument(
        "--question", metavar="TEXT", nargs="+", action="extend", default=[], help="questions, in the order they are asked"
    )
    parser.add_argument("--prompts", metavar="FILE", type=Path, help="more prompt templates: TOML, or the page's export")
    parser.add_argument(
        "--most-tokens", metavar="N", type=_positive, default=1024, help="an answer ends there, flagged; default: 1024"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object at the end: prompts, answers, seconds, tokens"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of tokens; write 1 or more")
    return int(text)


def _asked(wanted: argparse.Namespace, templates: Templates, settings: Settings) -> tuple[RunnerSpec, list[Prompt]]:
    """The system, and what it is asked.

    Raises:
        RunnerError: one of them is not known or cannot be used.
    """
    system, named = split_name(wanted.runner)
    if named is not None and wanted.template is not None:
        raise PromptError("The prompt template is named twice.", "Name it after --template or after the #, not both.")
    spec = spec_for(system, settings)
    if not spec.can_chat:
        able = ", ".join(sorted({row.family for row in rows(settings) if row.can_chat}))
        raise RunnerError(f"{spec.label} cannot be asked: it only writes down what it hears.", f"Choose from: {able}.")
    name = named or wanted.template
    values = dict(wanted.var)
    if name is None:
        if values:
            raise PromptError("--var needs a prompt template.", "Name one with --template.")
        if not wanted.question:
            raise PromptError(
                "Nothing is asked.",
                f"Give --question, or --template with one of: {', '.join(each.name for each in templates)}.",
            )
        return spec, [typed(question) for question in wanted.question]
    template = templates.get(name)
    idle = [variable for variable in values if variable in VARIABLES and variable not in template.variables]
    if idle:
        has = ", ".join(f"{{{variable}}}" for variable in template.variables) or "none"
        raise PromptError(f"The prompt template “{name}” has no {{{idle[0]}}}.", f"Leave --var {idle[0]} out; it has: {has}.")
    if "question" in gaps(template, values) and wanted.question:
        typed("".join(wanted.question))  # a blank one is refused in the same words
        return spec, [render(template, {**values, "question": question}) for question in wanted.question]
    return spec, [render(template, values), *(typed(question) for question in wanted.question)]


def _run(wanted: argparse.Namespace, settings: Settings, spec: RunnerSpec, prompts: Sequence[Prompt], out: TextIO) -> int:
    status = StatusLine()
    try:
        status.show(f"reading {wanted.clip.name}")
        clip = _decoded(wanted.clip, settings)
    except RunnerError as error:
        status.say(f"{wanted.clip}: {_with_fix(error)}")
        return WRONG_USAGE
    conversation = new(Contender(spec), clip)
    interrupted = False
    try:
        with contextlib.closing(Pool.here(settings)) as pool:
            for number, prompt in enumerate(prompts):
                status.clear()
                if not wanted.json and len(prompts) > 1:
                    out.write("\n" * (number > 0) + "".join(f"> {line}\n" for line in plain(prompt.text).splitlines()) + "\n")
                    out.flush()
                answer = _Answer(sys.stderr if wanted.json else out, shown=not wanted.json or sys.stderr.isatty())
                asking = Asking(pool, clip, conversation.asked(prompt), most_tokens=wanted.most_tokens)
                interrupted = _follow(asking, status, answer)
                conversation = asking.conversation
                exchange = conversation.exchanges[-1]
                answer.end(exchange)
                _tell(exchange, conversation, status)
                if interrupted:
                    break
                if exchange.result is not None and exchange.result.stage in ("availability", "load"):
                    if number + 1 < len(prompts):
                        status.say(f"Not asked: {len(prompts) - number - 1} more, because {spec.label} cannot run.")
                    break
    except KeyboardInterrupt:
        interrupted = True
        status.clear()
    if wanted.json:
        out.write(json.dumps(record.to_dict(conversation), ensure_ascii=False, allow_nan=False) + "\n")
    if interrupted:
        return INTERRUPTED
    return ANSWERED if any(exchange.state == "ok" for exchange in conversation.exchanges) else ALL_SKIPPED


def _decoded(path: Path, settings: Settings) -> Clip:
    from runners.audio import decode

    return decode(path, max_seconds=settings.max_clip_seconds, max_bytes=int(settings.max_file_mb * 1e6))


def _follow(asking: Asking, status: StatusLine, answer: _Answer) -> bool:
    """Show what happens until the answer is there; True if somebody pressed Ctrl-C."""
    try:
        while not asking.finished:
            for event in asking.events(timeout=0.5):
                _show(event, status, answer)
    except KeyboardInterrupt:
        asking.stop()
        until = time.monotonic() + GRACE_SECONDS
        while not asking.finished and time.monotonic() < until:
            asking.events(timeout=0.1)
        return True
    except BaseException:  # nobody reads any more
        asking.close()
        raise
    return False


def _show(event: Happening, status: StatusLine, answer: _Answer) -> None:
    match event:
        case Loading(done_bytes=int(done), total_bytes=total):
            status.show(f"downloading, {done / 1e6:.0f} MB" + (f" of {total / 1e6:.0f} MB" if total else ""))
        case Loading():
            status.show("loading the model")
        case Running():
            status.show("listening")
        case Step(says=says, is_whole=is_whole):
            status.say(says)
            answer.begin(is_whole)
        case Partial(text=text):
            status.clear()
            answer.show(text)


class _Answer:
    """An answer on its way out: each piece is written once."""

    def __init__(self, out: TextIO, shown: bool) -> None:
        self._out = out
        self._shown = shown
        self._is_whole = True
        self._text = ""

    def begin(self, is_whole: bool) -> None:
        """What comes now is, or is not, the answer itself."""
        self._is_whole = is_whole

    def show(self, text: str) -> None:
        """Write what is new; a text that is not what was written and more waits for the end."""
        text = plain(text)
        if self._shown and self._is_whole and text.startswith(self._text):
            # Noted first: Ctrl-C comes when somebody has read it, and must not have it written twice.
            new, self._text = text[len(self._text) :], text
            self._out.write(new)
            self._out.flush()

    def end(self, exchange: Exchange) -> None:
        """Write what is missing, and end the line."""
        if not self._shown:
            return
        text = plain(exchange.text)
        if not text and exchange.parts:  # it never came to the whole, but nothing is lost
            text = "\n\n".join(f"Part {part.number}\n\n{plain(part.result.text)}" for part in exchange.parts)
        if not text.startswith(self._text):
            self._out.write("\n\n" + text)
        else:
            self._out.write(text[len(self._text) :])
        if text and not text.endswith("\n"):
            self._out.write("\n")
        self._out.flush()


def _tell(exchange: Exchange, conversation: Conversation, status: StatusLine) -> None:
    """What is to be known about an answer besides itself."""
    status.clear()
    if exchange.state == "skipped":
        status.say(f"SKIPPED: {exchange.error} {exchange.fix or ''}".rstrip())
        for line in exchange.log:
            status.say(f"    {line}")
    elif exchange.state == "cancelled":
        status.say("Stopped.")
    for note in (*exchange.oddities, *exchange.notes):
        status.say(f"Note: {note}")
    if sys.stderr.isatty() and exchange.state == "ok":
        status.say(" · ".join(_figures(exchange, conversation)))


def _figures(exchange: Exchange, conversation: Conversation) -> list[str]:
    figures = []
    if exchange.first_token_seconds is not None:
        figures.append(f"{exchange.first_token_seconds:.1f} s to the first token")
    if exchange.tokens_per_second is not None:
        figures.append(f"{exchange.tokens_per_second:.1f} tokens/s")
    if exchange.seconds is not None:
        figures.append(f"{exchange.seconds:.1f} s in all")
    context = conversation.context
    if context is not None:
        most = f" of {context.most_tokens:,}" if context.most_tokens else ""
        figures.append(f"context: {context.used_tokens:,}{most} tokens")
    return figures


def _with_fix(error: RunnerError) -> str:
    return f"{error} {error.fix or ''}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
