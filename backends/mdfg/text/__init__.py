"""Texts as arrays of code points, and what is told from single characters: script, variants, personal data, words.

===========  ======================================================================================
codes        many texts in one array of code points, for the compiled loops
tables       one entry a code point: lower case, white space
variants     characters and words that the conversion to ``zh-cn`` would change (rule 2b)
personal     telephone numbers, identity numbers and e-mail addresses (a signal of ours, no rule)
splitting    words of a text, for the rules of FineWeb-2 and Gopher
===========  ======================================================================================
"""
