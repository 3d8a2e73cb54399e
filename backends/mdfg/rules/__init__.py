"""The rules: every value is measured for every document, and which documents go is a comparison with limits.

===========  ======================================================================================
verdicts     a rule as data (column, comparison, limit), and the verdicts of many documents
scripts      ranges of code points of the scripts
counting     lengths, lines, script, traditional characters, runs of digits (1a, 1b, 2a)
traditional  words and characters that the conversion to ``zh-cn`` changes (2b)
sensitive    distinct words of a list and how often they occur, by lines (3)
duplication  share of the 13-character windows that occur again (4)
lines        rules of FineWeb and Gopher on lines
words        rules of FineWeb-2 and Gopher on words
evaluate     all of them over a batch of texts: columns, spans of evidence
===========  ======================================================================================
"""
