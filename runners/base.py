"""The seam that every speech system stands behind: standard library and numpy only.

    RunnerError                 anything that makes a contender *skipped*
    ├── MissingPackage          a Python package is not installed
    ├── WeightsUnavailable      weights are not on this machine and may not be, or cannot be, downloaded
    ├── OutOfMemory             the device or the machine has too little memory
    ├── DeviceUnfit             the device fails, or computes wrongly; another one may do
    ├── ModelLoadError          the checkpoint is damaged, or of another family
    ├── AudioError              the clip cannot be decoded or is not usable
    ├── UnsupportedOption       the runner cannot do what was asked of it
    ├── PromptError             a prompt template is wrong, or lacks what it needs (``runners.prompts`` raises it)
    ├── RunnerCrashed           the runner's process died
    └── RunnerTimeout           the runner's process was killed at its deadline
    Cancelled                   somebody asked to stop; not an error

Each error has two sentences: what happened, and what to do about it.

This module does not know where a runner lives (``runners.process``), what a machine offers (``runners.here.machine``) or
which systems exist (``runners.catalogue``).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Hertz. Every runner hears mono float32 at this rate; it is what all speech models of the catalogue were trained on."""

DeviceKind = Literal["cpu", "cuda", "rocm", "mps", "xpu"]
Dtype = Literal["float32", "bfloat16", "float16", "int8", "int8_float16", "int4"]
Route = Literal["transcriptions", "chat"]
"""``POST /v1/audio/transcriptions``, or ``/v1/chat/completions`` with the audio inside."""
Status = Literal["ok", "skipped", "cancelled"]
Stage = Literal["availability", "load", "transcribe", "chat"]
Task = Literal["transcription", "translation", "summarization", "question", "chat"]
"""What a prompt asks for. Only a transcription can be scored against a reference."""
Tested = Literal["real weights", "real weights of its kind", "tiny checkpoint", "server"]
"""How a row's code was tried: on the row's own weights; on trained weights of the very same kind of network, which are not the
row's own; on a small random checkpoint of that kind; or against a server that speaks its protocol."""
Beyond = Literal["pauses", "windows", "chunks"]
"""What becomes of a clip that is longer than a system hears at once: it is cut at pauses, and each piece is heard by itself; it
is heard in windows that the model's own decoding lays, one after another; or in chunks of one length that overlap."""
Ended = Literal["complete", "limit", "loop"]
"""Why an answer ended: the model was done, it reached the most tokens it may have, or it said the same thing over and over."""


class RunnerError(Exception):
    """Something that makes a contender skipped. ``str()`` is what happened, ``fix`` what to do about it."""

    def __init__(self, what: str, fix: str | None = None) -> None:
        super().__init__(what)
        self.fix = fix


class MissingPackage(RunnerError):
    """A package that the runner needs is not installed."""


class WeightsUnavailable(RunnerError):
    """The weights are not on this machine, and downloading them is off, refused or failed."""


class OutOfMemory(RunnerError):
    """Not enough memory, known before loading or met on the way."""


class DeviceUnfit(RunnerError):
    """The device fails or computes wrongly, found by a trial before it is trusted; another device may do."""


class ModelLoadError(RunnerError):
    """The checkpoint is damaged, incomplete or of another family."""


class AudioError(RunnerError):
    """The clip cannot be decoded, or holds nothing that can be transcribed."""


class UnsupportedOption(RunnerError):
    """The runner cannot do what an option asks; raised before anything is loaded."""


class PromptError(RunnerError):
    """A prompt template is wrong, is not known, or lacks the value of a variable."""


class RunnerCrashed(RunnerError):
    """The runner's process ended by itself: a crash, an exit, or the kernel's out-of-memory killer."""


class RunnerTimeout(RunnerError):
    """The runner's process was killed because it passed its deadline."""


class Cancelled(Exception):
    """The run was asked to stop and did."""


@dataclass(frozen=True, eq=False)
class Clip:
    """One piece of audio, ready for every runner."""

    samples: NDArray[np.float32]
    """Shape (T,), mono, within [-1, 1] unless the file itself was louder."""
    seconds: float
    """Length of the original, the divisor of every RTF."""
    source: str
    """File name without its folder. Untrusted: escape it wherever it is shown."""
    sample_rate: int = SAMPLE_RATE
    """Hertz."""
    reference: str | None = None
    """True text as given, never shown to a runner."""
    language: str | None = None
    """ISO 639-1 code the person gave, or None."""
    warnings: tuple[str, ...] = ()
    """What was odd about the file but could be mended, e.g. "the file ends after 3.0 s of 11.0 s"."""
    original_rate: int | None = None
    """Hertz, of the file it came from."""
    original_channels: int | None = None
    """Of the file it came from."""


@dataclass(frozen=True)
class Word:
    """One word as the system gave it."""

    text: str
    start: float | None = None
    """Seconds from the start of the clip."""
    end: float | None = None
    """Seconds from the start of the clip."""
    confidence: float | None = None
    """0 to 1, on the system's own scale; not comparable between systems."""


@dataclass(frozen=True)
class Segment:
    """A stretch of speech with its text, for systems that time phrases rather than words."""

    text: str
    start: float | None = None
    """Seconds from the start of the clip."""
    end: float | None = None
    """Seconds from the start of the clip."""


@dataclass(frozen=True)
class Transcript:
    """What a runner heard. An empty text is a true answer ("nothing was said"), never a failure."""

    text: str
    words: tuple[Word, ...] = ()
    segments: tuple[Segment, ...] = ()
    language: str | None = None
    """ISO 639-1 code that was used or detected."""
    notes: tuple[str, ...] = ()
    """What a reader should know about how it came about, e.g. "cut at 3 pauses"."""


@dataclass(frozen=True)
class Prompt:
    """What a prompted system is told to do with a clip: a prompt template with its variables filled in."""

    template: str | None
    """Name of the template, "verbatim"; None for words that a person typed."""
    task: Task
    text: str
    """Task wording alone; the model's wire format is added by its runner. Untrusted."""

    @property
    def is_word_for_word(self) -> bool:
        """True if the answer follows the speech, so that a long clip can be heard piece by piece, in little memory."""
        return self.task in ("transcription", "translation")


@dataclass(frozen=True)
class TranscribeOptions:
    """What can be asked of a runner. Anything a spec does not support is refused by ``check_options``."""

    language: str | None = None
    """ISO 639-1 code of the speech; None lets the system detect it, or use its only language."""
    word_times: bool = True
    """Time each word where the system can. False spares systems for which that is extra work."""
    prompt: Prompt | None = None
    """What a prompted system is told; None leaves it its family's own wording for a plain transcript."""
    translate_to: str | None = None
    """ISO 639-1 code of the language that the speech is to be written down in; None writes down what is said."""


@dataclass(frozen=True)
class Server:
    """An endpoint that speaks OpenAI's protocol. Comes from the settings alone: a visitor never names an address."""

    name: str
    """What people call it: "lab"."""
    base_url: str = field(repr=False)
    """Up to and including "/v1". Not for visitors, nor for logs: it may name a machine inside."""
    key_variable: str | None = None
    """Environment variable that holds the key, read where the call is made; None: it wants none."""
    route: Route = "transcriptions"
    """How this model is asked."""
    timeout_seconds: float = 300
    """The longest wait for the next piece of an answer."""
    retries: int = 2
    """How often a request that was refused for the moment (429, 503) is made again; outside the timed call."""
    requests_at_once: int = 4
    """Over all of its models and all visitors."""


@dataclass(frozen=True)
class RunnerSpec:
    """A runner before it is loaded: everything a card on the page says, and nothing heavy."""

    family: str
    """First part of the name: "whisper"."""
    label: str
    """What people call it: "Whisper small"."""
    target: str
    """Where its class is, "runners.whisper:Whisper"; imported only where it runs."""
    model: str | None = None
    """Hub id or local folder; None where the weights come inside a package."""
    revision: str | None = None
    """Commit, tag or branch on the hub."""
    is_default: bool = False
    """True if the bare family name means this model."""
    parameters: int | None = None
    languages: tuple[str, ...] | None = None
    """ISO 639-1 codes it understands; None if unknown (a checkpoint somebody added)."""
    understands_others: bool = False
    """It understands more languages than these, and nobody says which: none is refused."""
    license: str | None = None
    """SPDX identifier of the weights."""
    requires: tuple[str, ...] = ()
    """Packages as pip names them; ``runners.here.packages`` knows what they are imported as."""
    size_bytes: int | None = None
    """What a download from the hub fetches, or a package brings along, where that is known without asking."""
    stored_dtype: Dtype | None = None
    """The precision in which most of the hub's weights are; None if unknown."""
    files: tuple[str, ...] = ()
    """Patterns of the files to fetch from the hub; empty: a transformers checkpoint's usual ones."""
    dtypes: tuple[Dtype, ...] = ("float32", "bfloat16", "float16")
    """Precisions that its code can run in."""
    devices: tuple[DeviceKind, ...] = ("cpu", "cuda", "rocm", "mps", "xpu")
    """Devices that its code can run on."""
    needs_gpu: bool = False
    gated: bool = False
    """The hub asks for an accepted licence and a token."""
    can_choose_language: bool = False
    assumes_language: str | None = None
    """ISO 639-1 code that it takes the speech for where nobody says; None if it detects the language, or knows only one."""
    translates_to: tuple[str, ...] = ()
    """ISO 639-1 codes of the languages that it can write the speech down in without a prompt (``translate_to``)."""
    translates_from_told: bool = False
    """It does not hear which language it translates from: it is told, or takes it for ``assumes_language``."""
    is_streaming: bool = False
    """Made to be fed sound as it comes, though here it hears whole clips; or served, with text that arrives as it is made."""
    has_word_times: bool = False
    has_segment_times: bool = False
    takes_prompt: bool = False
    """It is told what to do with a clip in words; a prompt template can say what."""
    can_chat: bool = False
    """Its class is a ``ChatRunner``."""
    longest_prompt_seconds: float | None = None
    """Longest audio that one prompt of a conversation should hold; a longer clip is asked about in parts. None: no limit."""
    longest_transcribed_seconds: float | None = None
    """Longest audio that it hears at once when it transcribes. None: no limit, or not known."""
    beyond: Beyond | None = None
    """What it makes of longer clips, by itself; None exactly where there is no limit."""
    audio_tokens_per_second: float | None = None
    """Tokens of its context, and places in its key-value cache, that a second of audio takes; None if it has no such cache."""
    folders: tuple[str, ...] = ()
    """Folders inside the checkpoint that are loaded besides it, such as an adapter: "speech-lora"."""
    can_be_spread: bool = False
    """Its layers may lie on several devices and in main memory, where no device has room for all."""
    tested: Tested | None = None
    """How its code was tried; None: it was not."""
    asked_dtype: Dtype | None = None
    """The precision that its name asks for; None leaves it to the settings."""
    asked_device: DeviceKind | None = None
    """The device that its name asks for; None leaves it to the settings."""
    server: Server | None = None
    """Where it is served; None for a system of this machine."""

    @property
    def only_language(self) -> str | None:
        """The one language that it understands; None if there are several, or they are unknown."""
        return self.languages[0] if self.languages is not None and len(self.languages) == 1 else None

    def may_understand(self, language: str) -> bool:
        """False if the language, an ISO 639-1 code, is known to be none of its own."""
        return self.languages is None or self.understands_others or language in self.languages

    @property
    def name(self) -> str:
        """``family`` for a family's default model, else ``family:model[@revision][+precision][+device]``, the same words
        everywhere. What is served has the server's name where others have a revision.
        """
        asked = "".join(f"+{part}" for part in (self.asked_dtype, self.asked_device) if part)
        if self.is_default or self.model is None:
            return self.family + asked
        where = self.server.name if self.server is not None else self.revision
        return f"{self.family}:{self.model}" + (f"@{where}" if where else "") + asked


@dataclass(frozen=True)
class Placement:
    """Where and how precisely a runner is loaded."""

    device: DeviceKind = "cpu"
    dtype: Dtype = "float32"
    need_bytes: int | None = None
    """Memory it is expected to take; None if unknown."""
    spread: bool = False
    """True if ``device`` alone has no room, and layers go to the other devices and main memory too (accelerate does it)."""

    @property
    def torch_device(self) -> str:
        """The name PyTorch has for the device: ROCm answers to "cuda"."""
        return "cuda" if self.device == "rocm" else self.device


@dataclass(frozen=True)
class Availability:
    """Whether a runner can run on this machine now."""

    state: Literal["available", "download", "skipped"]
    reason: str | None = None
    """Why it is skipped, e.g. "needs 12 GB, 7 GB free"."""
    fix: str | None = None
    """What to do about it, e.g. "choose a smaller precision"."""
    download_bytes: int | None = None
    """How much would be downloaded first; None if unknown or nothing."""
    placement: Placement = field(default_factory=Placement)

    @property
    def ok(self) -> bool:
        return self.state != "skipped"


@dataclass(frozen=True)
class Contender:
    """A runner with the options it runs with: one column on the page."""

    spec: RunnerSpec
    options: TranscribeOptions = field(default_factory=TranscribeOptions)

    @property
    def name(self) -> str:
        """``family[:model[@revision]][#template]``: unique within a comparison."""
        prompt = self.options.prompt
        return self.spec.name + (f"#{prompt.template}" if prompt is not None and prompt.template else "")

    @property
    def label(self) -> str:
        """What its column is headed: "Phi-4-multimodal #verbatim". Untrusted, as a template's name is."""
        prompt = self.options.prompt
        return self.spec.label + (f" #{prompt.template}" if prompt is not None and prompt.template else "")

    @property
    def is_scored(self) -> bool:
        """False where it was told to do something else than transcribe: a summary has no error rate."""
        if self.options.translate_to is not None:
            return False
        return self.options.prompt is None or self.options.prompt.task == "transcription"


@dataclass(frozen=True)
class TranscriptionResult:
    """What became of one contender on one clip. Built only by the code that runs a contender."""

    contender: Contender
    status: Status
    transcript: Transcript | None = None
    error: str | None = None
    """What happened, in plain words."""
    fix: str | None = None
    """What to do about it."""
    log: tuple[str, ...] = ()
    """Last lines of the child's log, for a skipped contender."""
    stage: Stage | None = None
    """Where a skipped or cancelled contender stopped."""
    load_seconds: float | None = None
    """Loading the model, downloads apart; None if it was warm already."""
    runs: tuple[float, ...] = ()
    """Seconds of each timed run, in order."""
    rtf: float | None = None
    """Real-time factor: ``seconds`` / seconds of audio."""
    peak_memory: int | None = None
    """Bytes, of the child process, or of the device where it has memory of its own."""
    device: DeviceKind | None = None
    dtype: Dtype | None = None

    def __post_init__(self) -> None:
        if (self.status == "ok") != (self.transcript is not None):
            raise ValueError("a result is ok exactly if it has a transcript")
        if self.status == "skipped" and not self.error:
            raise ValueError("a skipped result says why")

    @property
    def skipped(self) -> bool:
        return self.status == "skipped"

    @property
    def seconds(self) -> float | None:
        """Median of the timed runs."""
        return median(self.runs) if self.runs else None


class Progress(Protocol):
    """What a runner tells while it works, and how it learns that it should stop."""

    def downloading(self, done_bytes: int, total_bytes: int | None) -> None:
        """Report how far a download has come."""

    def partial(self, text: str) -> None:
        """Report the whole text heard so far; an untimed extra, so call it a few times a second at most."""

    def check(self) -> None:
        """Raise ``Cancelled`` if somebody asked to stop. Call it between steps of work."""


class Runner(Protocol):
    """One speech system. Built with its spec; every method raises a ``RunnerError`` on failure."""

    def __init__(self, spec: RunnerSpec) -> None: ...

    def load(self, weights: Path | None, placement: Placement, progress: Progress) -> None:
        """Make ready. ``weights`` is a local folder (downloads are over by now), None where the package has them."""

    def transcribe(self, clip: Clip, options: TranscribeOptions, progress: Progress) -> Transcript:
        """Hear one clip of any length. Never returns an empty text for a failure."""

    def unload(self) -> None:
        """Give back memory; ``load`` may be called again."""


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation about a clip."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class ChatOptions:
    """How a turn is answered."""

    conversation: str
    """Names the conversation: a runner may keep what it computed for one turn under it, for the next. Not to be guessed."""
    most_tokens: int = 1024
    """The answer ends there, flagged."""
    temperature: float = 0.0
    """0 always takes the likeliest token, so that the same question gets the same answer; more lets chance in."""
    seed: int | None = None
    """Makes chance repeatable; None does not."""
    cache_bytes: int | None = None
    """Memory that all conversations of a runner may keep together; None leaves it to the runner."""


@dataclass(frozen=True)
class Usage:
    """What an answer took, as its runner counts it."""

    prompt_tokens: int
    """Audio and text that stood before the answer, earlier turns included."""
    reused_tokens: int
    """Of those, how many came from what an earlier turn had computed."""
    new_tokens: int
    context_tokens: int | None
    """The most that the model's context holds; None if it does not say."""
    cache_bytes: int | None = None
    """Kept for the next turn of this conversation."""
    ended: Ended = "complete"
    notes: tuple[str, ...] = ()
    """What a reader should know about how the answer came about."""


@dataclass(frozen=True)
class ChatResult:
    """What became of one turn. Built only by the code that runs a contender."""

    contender: Contender
    status: Status
    text: str = ""
    """The answer, or what had come of it when it was cancelled or failed. Untrusted."""
    usage: Usage | None = None
    """None unless the status is ok."""
    error: str | None = None
    """What happened, in plain words."""
    fix: str | None = None
    """What to do about it."""
    log: tuple[str, ...] = ()
    """Last lines of the child's log, for a skipped turn."""
    stage: Stage | None = None
    """Where a skipped or cancelled turn stopped."""
    load_seconds: float | None = None
    """Loading the model, downloads apart; None if it was warm already."""
    first_token_seconds: float | None = None
    """From the question to the first piece of text, without the wait for the device."""
    seconds: float | None = None
    """From the question to the end of the answer, without the wait for the device."""
    device: DeviceKind | None = None
    dtype: Dtype | None = None

    def __post_init__(self) -> None:
        if (self.status == "ok") != (self.usage is not None):
            raise ValueError("an answer is ok exactly if its usage is known")
        if self.status == "skipped" and not self.error:
            raise ValueError("a skipped answer says why")

    @property
    def tokens_per_second(self) -> float | None:
        """Speed of decoding alone: tokens after the first, by the seconds after the first."""
        if self.usage is None or self.seconds is None or self.first_token_seconds is None or self.usage.new_tokens < 2:
            return None
        decoding_seconds = self.seconds - self.first_token_seconds
        return (self.usage.new_tokens - 1) / decoding_seconds if decoding_seconds > 0 else None


class ChatRunner(Runner, Protocol):
    """A runner that also talks about what it heard (``spec.can_chat``)."""

    def chat(
        self, clip: Clip | None, turns: tuple[Turn, ...], options: ChatOptions, progress: Progress
    ) -> Generator[str, None, Usage]:
        """Answer the last turn, which is the user's: yields pieces of text as they come, returns what it took.

        The clip is part of every call, and every answer hears it, from what an earlier turn computed or anew; None asks
        for a turn about text alone. Closing the generator stops it and leaves the runner ready for another turn.
        """

    def forget(self, conversation: str) -> None:
        """Give back what is kept for a conversation; one that is not known is no error."""


def check_turns(turns: tuple[Turn, ...]) -> None:
    """Refuse a conversation in which nothing is asked.

    Raises:
        PromptError: the last turn is not the user's, or there is none.
    """
    if not turns or turns[-1].role != "user":
        raise PromptError("The conversation does not end with a question.", "Ask something.")


def check_options(spec: RunnerSpec, options: TranscribeOptions) -> None:
    """Refuse what the runner cannot do, by name, before anything is loaded.

    Raises:
        UnsupportedOption: the language is not one it understands, or cannot be chosen; it takes no prompt; or it does not
            translate to the language asked for, or not without being told from which.
    """
    if options.prompt is not None and not spec.takes_prompt:
        raise UnsupportedOption(
            f"{spec.label} takes no prompt: it always writes down what it hears.", "Leave the prompt template out."
        )
    target = options.translate_to
    if target is not None and options.prompt is not None:
        raise UnsupportedOption("A prompt and a translation cannot both be asked for.", "Leave one of them out.")
    if target is not None and target not in spec.translates_to:
        known = ", ".join(spec.translates_to[:12]) + (" …" if len(spec.translates_to) > 12 else "")
        raise UnsupportedOption(
            f"{spec.label} does not translate" + (f" to {target!r}." if known else "."),
            f"It translates to: {known}." if known else "Leave the translation out, or choose another system.",
        )
    wanted = options.language
    if target is not None and wanted is None and spec.translates_from_told and target == spec.assumes_language:
        raise UnsupportedOption(
            f"{spec.label} takes speech for {target!r} unless told otherwise, and would translate nothing.",
            "Name the language that is spoken.",
        )
    if wanted is None or spec.languages == (wanted,):
        return
    if spec.languages is not None and not spec.may_understand(wanted):
        known = ", ".join(spec.languages[:12]) + (" …" if len(spec.languages) > 12 else "")
        raise UnsupportedOption(
            f"{spec.label} does not understand the language {wanted!r}.", f"It understands: {known}. Choose another system."
        )
    if not spec.can_choose_language:
        raise UnsupportedOption(
            f"{spec.label} cannot be told the language.", "Leave the language open, or choose another system."
        )
