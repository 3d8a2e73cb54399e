"""Quality control of generated dialogues (spec A.7; the paper's own filter is not public): one small file a rule.

=====================  ========================================================================================
format                 speakers alternate, no role label in the text, the right language, 3 to 80 tokens a turn
role_flip              the supporter speaks as the seeker, or the seeker gives advice
near_duplicates        a turn or a whole dialogue that says the same again (5-gram shingles, MinHash)
strategy_consistency   a scorer finds the planned strategy among its first three
diversity              Distinct-2 of the dialogue
outcome                ESConv's published failure rule
crisis                 words of crisis: quarantined for a person, never accepted by itself
judge                  all of them: accepted, rejected or quarantined, with every value and reason
=====================  ========================================================================================

Rejected dialogues are kept (they are negatives for preference training); quarantined ones are for a person only.
"""
