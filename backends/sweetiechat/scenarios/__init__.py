"""The scenario engine: an evolving pool of problem types, and balanced scenarios and seeker cards for it (spec A.3).

The paper tells that the pool starts from ESConv's topics and grows to 45 types in five categories; how is not public,
so the procedure is that of self-instruct (show 2 seeds and 2 evolved types, ask for new ones, keep what is unlike the
pool), and the categories, prompts and all rules but the limit of 0.5 are ours.

==============================  ==================================================================================
pool                            the types with parents, similarity, examples, parents of new types
evolve, type_rules              one round; when a candidate joins, every rule with value and reason
plan                            which problem, feeling, intensity and person: balanced alone and in pairs
texts, text_rules, writing      scenarios and cards in a fixed form, repaired once, checked, drawn again
replies, wording                two forms of asking: JSON, and lines with fixed labels for small models
fit                             the model's own scores: does a text fit what it was written for
store, task                     files, resume, ``sweetiechat.scenarios.v1``
library                         what a run made, as the library that dialogues are generated from
==============================  ==================================================================================

With a small model the form comes out right and the sense often does not: rules can tell a repeated, copied, cut-off,
unsafe or ill-fitting text, not a silly one. SmolLM2-135M filled the pool to 45 in 18 rounds, one candidate in five
accepted; of its scenarios about one in seven was kept, of its cards one in eight, and few of them make sense. Read
them as a demonstration of the method and give a larger model for data. ``rejected.jsonl`` says what was wrong.
"""
