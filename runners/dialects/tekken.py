"""Tekken, Mistral's tokenizer: text from tokens. Its other half, and with it the package mistral-common, is not needed here."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runners.base import ModelLoadError

FILE = "tekken.json"


class Tekken:
    """The vocabulary of a ``tekken.json``: control tokens first, then one entry of bytes for each rank."""

    def __init__(self, folder: Path) -> None:
        """Read ``folder/tekken.json``.

        Raises:
            ModelLoadError: it is missing or damaged.
        """
        path = folder / FILE
        try:
            held = json.loads(path.read_text("utf-8"))
            config = held["config"]
            self._first = int(config["default_num_special_tokens"])
            words = held["vocab"][: int(config["default_vocab_size"]) - self._first]
            self._bytes = [base64.b64decode(word["token_bytes"]) for word in words]
            self._control = {str(token["token_str"]): int(token["rank"]) for token in held.get("special_tokens") or ()}
        except FileNotFoundError as error:
            raise ModelLoadError(f"{folder} has no tokenizer ({FILE}).", "Fetch the checkpoint's other files too.") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError, binascii.Error, RecursionError) as error:
            raise ModelLoadError(f"{path} is damaged.", "Fetch the checkpoint again.") from error
        self.audio: Mapping[str, Any] = held["audio"] if isinstance(held.get("audio"), dict) else {}
        """What it says of how audio is prepared."""

    def control(self, text: str) -> int:
        """Id of a control token.

        Raises:
            ModelLoadError: it has none such.
        """
        if text not in self._control:
            raise ModelLoadError(f"The tokenizer has no token {text}.", "Fetch the checkpoint's own tokenizer again.")
        return self._control[text]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, without control tokens; half a character becomes U+FFFD."""
        places = (token - self._first for token in ids)
        said = b"".join(self._bytes[place] for place in places if 0 <= place < len(self._bytes))
        return said.decode("utf-8", errors="replace")
