"""datatrove's chain for Chinese, as FineWeb-2 runs it: the peer of ``bench corpus`` where it is installed.

Gopher's repetition filter, FineWeb's quality filter and the signatures of MinHash, on one process. All three cut words
with spaCy and jieba, which they need installed beside datatrove.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence

LANGUAGE = "cmn_Hani"


def _xxhash() -> bool:
    """Whether the installed xxhash hashes text as datatrove calls it; version 4 takes bytes only."""
    import xxhash

    try:
        xxhash.xxh64_intdigest("text")  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


def speed(texts: Sequence[str]) -> float:
    """Documents a CPU-second of the chain; every document passes every step, as ours does."""
    from datatrove.data import Document  # type: ignore[import-not-found]
    from datatrove.pipeline.dedup import MinhashDedupSignature  # type: ignore[import-not-found]
    from datatrove.pipeline.dedup.minhash import MinhashConfig  # type: ignore[import-not-found]
    from datatrove.pipeline.filters import (  # type: ignore[import-not-found]
        FineWebQualityFilter,
        GopherRepetitionFilter,
    )
    from datatrove.utils.hashing import HashConfig  # type: ignore[import-not-found]

    filters = [GopherRepetitionFilter(language=LANGUAGE), FineWebQualityFilter(language=LANGUAGE)]
    documents = [Document(text=text, id=str(i)) for i, text in enumerate(texts) if text.strip()]
    for step in filters:
        step.filter(documents[0])  # loads the word splitter
    with tempfile.TemporaryDirectory() as folder:
        config = MinhashConfig(n_grams=5, hash_config=HashConfig(hash_fc="xxhash" if _xxhash() else "sha1"))
        signatures = MinhashDedupSignature(folder, config=config, language=LANGUAGE)
        began = time.process_time()
        for step in filters:
            for document in documents:
                step.filter(document)
        signatures.run(iter(documents), 0, 1)
        return len(documents) / (time.process_time() - began)
