"""How long speech is at every stage: mel frames -> encoder states -> speech tokens. Integers only, no torch.

A stride-2 convolution with kernel 2p + 1 and padding p maps L > 0 to floor((L - 1) / 2) + 1. Whisper's encoder has
one of them (its first convolution has stride 1), the adapter three: 16 mel frames of 10 ms make one token, 6.25
tokens a second (spec A.2; cwang621/blsp-emo, ``modeling_adapter.py``).
"""

from __future__ import annotations

from workbench.contract import UserError

FRAMES_PER_SECOND = 100
"""Mel frames of Whisper: a hop of 160 samples at 16 kHz."""
WINDOW = 3000
"""Mel frames of Whisper's window, 30 seconds."""
ADAPTER_LAYERS = 3
TOKENS_PER_SECOND = 6.25


def halved(length: int) -> int:
    """Outputs of one stride-2 convolution: floor((L - 1) / 2) + 1, and 0 for 0."""
    return (length - 1) // 2 + 1 if length > 0 else 0


def encoder_states(mel: int) -> int:
    """Whisper states of ``mel`` frames. Raises ``UserError`` above 30 seconds or below one frame."""
    if not 1 <= mel <= WINDOW:
        raise UserError(f"The sound has {mel} mel frames; Whisper hears between 1 and {WINDOW} (30 seconds).",
                        advice="Cut the sound into pieces of at most 30 seconds.")
    return halved(mel)


def adapter_tokens(states: int, layers: int = ADAPTER_LAYERS) -> int:
    """Speech tokens of ``states`` encoder states."""
    for _ in range(layers):
        states = halved(states)
    return states


def speech_tokens(mel: int) -> int:
    """Speech tokens of ``mel`` mel frames: 188 for 30 seconds."""
    return adapter_tokens(encoder_states(mel))
