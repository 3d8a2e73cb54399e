"""Near-duplicates: MinHash, banded look-up, clusters. An addition of ours: the paper removes none between documents.

===========  ======================================================================================
minhash      128 minima of hashed 5-character shingles a document
clusters     candidates by bands, checked by their minima, joined by union-find; the best one is kept
===========  ======================================================================================
"""
