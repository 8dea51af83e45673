"""A clip that is told in pieces by a network that is asked about each: the loop that its families share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from runners.audio import is_silent
from runners.base import SAMPLE_RATE, Progress, Segment, Transcript
from runners.networks import generation
from runners.networks.answer_length import most_tokens


def tell(
    network: generation.Network,
    samples: NDArray[np.float32],
    cuts: Sequence[tuple[int, int]],
    *,
    follows_speech: bool,
    wire: Callable[[NDArray[np.float32]], generation.Wire],
    progress: Progress,
    cleaned: Callable[[str], str] = str,
) -> Transcript:
    """Have each piece of a clip answered by itself, and join what is said.

    Args:
        samples: shape (T,), 16 kHz.
        cuts: where each piece begins and ends, in samples, in order.
        follows_speech: a transcript or translation is asked for, not something about the clip as a whole: silence is
            left out, and pieces are joined as sentences rather than as paragraphs.
        wire: the prompt for a piece, samples of shape (n,).
        cleaned: takes out of an answer what the family frames it with.

    Returns:
        The text, a segment a piece that said something, and notes on cuts, silence, limits and loops.

    Raises:
        OutOfMemory: a piece does not fit.
        Cancelled: between two tokens, or inside the reading of a prompt.
    """
    notes = []
    if len(cuts) > 1:
        alone = "" if follows_speech else ", each of which was answered alone"
        notes.append(f"cut at pauses into {len(cuts)} pieces{alone}")
    text, segments = "", []
    for number, (first, last) in enumerate(cuts, 1):
        progress.check()
        begin, end = first / SAMPLE_RATE, last / SAMPLE_RATE
        piece = samples[first:last]
        if follows_speech and is_silent(piece):  # a network that chats makes words up for it
            notes.append(f"nothing but digital silence {generation.span(begin, end)}: left out")
            continue
        limit = most_tokens(end - begin, follows_speech=follows_speech)
        whole = partial(generation.joined, text, not follows_speech)
        said, ended = generation.write(network, wire(piece), limit, progress, whole)
        said = cleaned(said)
        ending = generation.endings(ended)
        if ending:
            notes.append(ending if len(cuts) == 1 else f"{generation.span(begin, end)}: {ending}")
        if said:
            segments.append(Segment(said, begin, end))
            text = whole(said)
        if number < len(cuts):
            progress.partial(text)
    return Transcript(text, segments=tuple(segments), notes=tuple(notes))
