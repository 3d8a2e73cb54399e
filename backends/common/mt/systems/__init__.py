"""Several translation systems on the same lines, at once: the task ``common.translate.v1``.

=========  ============================================================================================
requests   what can be asked for, and what comes of it
kinds      what a reference is: an SM2 model, a sequence-to-sequence or a causal model, a server, apertium
lines      a text into lines that any system takes; groups of lines, of which a bad one spoils no other
languages  codes of languages as models write them
child      one local model in a process of its own, which gives its memory back when it ends
seq2seq    encoder-decoder models of transformers: Marian, NLLB, M2M, mBART, T5, MADLAD
causal     language models by a prompt: resident ones and servers
apertium   Debian's rule-based translator
board      everything that has been said so far: what the page shows and the run keeps
task       all of it together
=========  ============================================================================================

A kind of system is a row in :data:`kinds.KINDS`; methods add theirs by dotted name and nothing here imports them.
"""
