"""Metrics of support dialogues (spec A.9): pure functions without torch, every number named and fixed by tests.

=============  ==============================================================================================
tokens         named tokenisers; the name travels with every number
text           BLEU, ROUGE-L (two variants), Distinct (two variants), unigram F1, length, perplexity
strategy       accuracy, macro-F1 over the declared set, weighted F1
preference     preference per strategy and bias B of Kang et al.
usage          mix, entropy by third, transitions, stage mix, Jensen-Shannon divergence, ESConv's counts
dialogue       fall of intensity, success rate, average turns, repetition
intervals      bootstrap over dialogues: percentile intervals and paired differences
=============  ==============================================================================================
"""
