"""What was heard, kept as vectors: by key, the least used first out, made again from the sound when it is gone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable

import torch

BYTES = 256 * 2**20
"""Most memory for kept speech (our default): about 10,000 turns of 3 s for a model 192 wide, 800 at paper scale."""


class Kept:
    """Vectors (T', H) by key. ``source`` is what they were made of: under the same key another source is another
    sound, so that nothing old is ever taken for it."""

    def __init__(self, limit: int = BYTES) -> None:
        self.limit, self.size, self.made = limit, 0, 0
        self._held: OrderedDict[str, tuple[Hashable, torch.Tensor]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: str, source: Hashable, make: Callable[[], torch.Tensor]) -> torch.Tensor:
        """The vectors of a sound, made where they are not there. Without a key they are not kept."""
        found = self._held.get(key)
        if found is not None and found[0] == source:
            self._held.move_to_end(key)
            return found[1]
        vectors = make()
        self.made += 1
        if key:
            self._put(key, source, vectors)
        return vectors

    def forget(self, keys: Iterable[str] = (), prefix: str = "") -> int:
        """Drop keys, and all that begin with ``prefix`` (a run); how many there were."""
        doomed = {key for key in keys if key in self._held} | {key for key in self._held if prefix and
                                                               key.startswith(prefix)}
        for key in doomed:
            self._drop(key)
        return len(doomed)

    def _put(self, key: str, source: Hashable, vectors: torch.Tensor) -> None:
        if key in self._held:
            self._drop(key)
        self._held[key] = (source, vectors)
        self.size += bytes_of(vectors)
        while self.size > self.limit and len(self._held) > 1:
            self._drop(next(iter(self._held)))

    def _drop(self, key: str) -> None:
        self.size -= bytes_of(self._held.pop(key)[1])


def bytes_of(vectors: torch.Tensor) -> int:
    """Memory of a tensor."""
    return int(vectors.element_size() * vectors.nelement())
