"""Which frames of sound an encoder-decoder looked at while it wrote each token, for its words' times.

One pass of the decoder over a finished text gives the cross-attention of a few heads that are known to follow the sound (a
checkpoint of Whisper names them, ``alignment_heads``); ``runners.networks.word_times`` makes a path through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.networks.word_times import warp


def follow(
    model: Any,
    heads: Sequence[tuple[int, int]],
    encoded: Any,
    *,
    before: Sequence[int],
    text: Sequence[int],
    end: int,
    frames: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find when each token of a text begins, and how sure the decoder was of it.

    Args:
        heads: (layer, head) of the cross-attention that follows the sound, at least one.
        encoded: what the encoder made of one piece of sound.
        before: ids of the tokens that say what to do; the last of them is read where the first of the text is chosen.
        end: id of the token that ends the text.
        frames: of the encoder, those that hold sound.

    Returns:
        Frame numbers, shape (len(text) + 1,), the last being where the text ends; probabilities, shape (len(text),).
    """
    import torch

    ids = torch.tensor([[*before, *text, end]], device=model.device)
    attention, logits = _attend(model, heads, encoded, ids)  # (heads, tokens, frames), (tokens, vocabulary)
    first = len(before) - 1
    chosen = logits.softmax(-1)[torch.arange(ids.shape[1] - 1), ids[0, 1:]][first:-1].cpu()  # (text tokens,)
    attention = attention[..., :frames]
    attention = (attention - attention.mean(-2, keepdim=True)) / (attention.std(-2, keepdim=True, unbiased=False) + 1e-8)
    width = int(getattr(model.config, "median_filter_width", 7))
    if frames > width:
        padded = torch.nn.functional.pad(attention, (width // 2, width // 2), mode="reflect")
        attention = padded.unfold(-1, width, 1).median(-1).values
    # The row of a token is where it is read; the token itself was chosen one row earlier.
    return warp(attention.mean(0)[first:-1].cpu().numpy()), np.asarray(chosen.numpy(), dtype=np.float32)


def _attend(model: Any, heads: Sequence[tuple[int, int]], encoded: Any, ids: Any) -> tuple[Any, Any]:
    """Return the heads' cross-attention (heads, tokens, frames) and the logits (tokens, vocabulary), float32.

    The attention is taken from the layers as they run, so that one layer's is held at a time; only PyTorch's plain
    ("eager") attention gives it at all.
    """
    import torch

    rows: dict[tuple[int, int], Any] = {}
    layers = model.get_decoder().layers
    hooks = []
    for number in {layer for layer, _ in heads}:
        wanted = [head for layer, head in heads if layer == number]

        def keep(_: Any, __: Any, output: Any, number: int = number, wanted: list[int] = wanted) -> None:
            for head in wanted:
                rows[number, head] = output[1][0, head].float()

        hooks.append(layers[number].encoder_attn.register_forward_hook(keep))
    model.set_attn_implementation("eager")
    try:
        logits = model(encoder_outputs=encoded, decoder_input_ids=ids, use_cache=False).logits[0].float()
    finally:
        model.set_attn_implementation("sdpa")
        for hook in hooks:
            hook.remove()
    return torch.stack([rows[head] for head in heads]), logits
