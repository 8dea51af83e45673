"""Making control tokens in anybody's text harmless, so that a prompt, a name or an answer cannot end a turn or add audio."""

from __future__ import annotations

import re
import unicodedata


def is_blank(text: str) -> bool:
    """True if nothing in it can be seen."""
    return all(character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in text)


_UNSEEN = "[\u00ad\u034f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]*"
_LESS, _MORE, _BAR = "[<\uff1c\ufe64]", "[>\uff1e\ufe65]", "[|\uff5c]"
_OPENS = re.compile(f"({_LESS}{_UNSEEN}){_BAR}")
_CLOSES = re.compile(f"{_BAR}({_UNSEEN}{_MORE})")
_IN_ANGLES = re.compile(f"({_LESS}{{1,3}})([^<>\uff1c\uff1e\ufe64\ufe65\\n]{{1,60}})({_MORE}{{1,3}})")
_IN_SQUARES = re.compile("[\\[\uff3b]([^\\[\\]\uff3b\uff3d\\n]{1,60})[\\]\uff3d]")
_ANGLE_NAMES = re.compile(
    r"/?\s*(s|bos|eos|pad|unk|mask|cls|sys|audio|speech|sound|image|img|video|think|tool_call|tool_response|tools|"
    r"(start|end|begin)_of_[a-z_]+|(audio|image|video)_[a-z_]+|(audio|image|speech)_?\d+|"
    r"(bos|eos|pad|unk|mask)_(token|\d+)|(im|frame|speech|turn)_(start|end)|asr_text|eod|eop|imgpad|"
    r"(unused|reserved|special|extra_id|extra|placeholder|st)[_-]?\d+)\s*",
    re.IGNORECASE,
)
_SQUARE_NAMES = re.compile(
    r"/?(INST|SYSTEM_PROMPT|BEGIN_AUDIO|AUDIO|OUTPUT_AUDIO|TRANSCRIBE|NEXT_AUDIO_TEXT|REPEAT_AUDIO_TEXT|STREAMING_[A-Z]+|"
    r"AVAILABLE_TOOLS|TOOL_[A-Z]+|ARGS|CALL_ID|MODEL_SETTINGS|IMG|IMG_BREAK|IMG_END|PREFIX|MIDDLE|SUFFIX|THINK|REF|"
    r"CLS|SEP|PAD|MASK|UNK|BOS|EOS|CONTROL_\d+|UNUSED_?\d+)"
)


def neutralised(text: str) -> str:
    """Text that no tokenizer takes for a control token; a person still reads what was meant.

        <|end|>   -> <¦end¦>      the style of Phi, Qwen, Whisper, Llama 3
        </s>      -> ‹/s›         the style of Llama 2, Gemma, Qwen's older placeholders
        [INST]    -> ⟦INST⟧       the style of Mistral and Voxtral

    The same in wide or otherwise compatible letters, because some tokenizers normalise (NFKC) before they look. What is
    not a known token is left as it is: "<sep>", "[laughs]", "a < b". Control characters are dropped, halves of surrogate
    pairs replaced. Idempotent.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(
        "\ufffd" if "\ud800" <= character <= "\udfff" else character
        for character in text
        if character in "\n\t" or unicodedata.category(character) != "Cc"
    )
    text = _OPENS.sub(r"\1¦", text)
    text = _CLOSES.sub(r"¦\1", text)
    text = _IN_ANGLES.sub(_angles, text)
    return _IN_SQUARES.sub(_squares, text)


def _angles(found: re.Match[str]) -> str:
    if not _ANGLE_NAMES.fullmatch(_plainest(found[2])):
        return found[0]
    return "‹" * len(found[1]) + found[2] + "›" * len(found[3])


def _squares(found: re.Match[str]) -> str:
    return f"⟦{found[1]}⟧" if _SQUARE_NAMES.fullmatch(_plainest(found[1])) else found[0]


def _plainest(name: str) -> str:
    return unicodedata.normalize("NFKC", re.sub(_UNSEEN, "", name))
