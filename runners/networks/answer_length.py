"""How long an answer may become: as long as what is said in a clip takes to write down, or as a text about it may be."""

from __future__ import annotations

MOST_TOKENS_PER_SECOND = 20
"""Fast speech has some 7 syllables a second, of one or two tokens; it may be asked for with its translation. Twice the
fastest that is known (some 10, Japanese)."""
MOST_TOKENS_BESIDES = 64
MOST_TOKENS_TOLD = 1024
"""Of a text whose length does not follow from the clip's, such as a summary."""


def most_tokens(seconds: float, *, follows_speech: bool) -> int:
    """Tokens that an answer about so many seconds may have; ``follows_speech`` where it is a transcript or translation."""
    return MOST_TOKENS_BESIDES + round(MOST_TOKENS_PER_SECOND * seconds) if follows_speech else MOST_TOKENS_TOLD
