"""From files to rows: JSON lines, CSV, Parquet, HF ``datasets`` folders. Bad rows are named, good ones are kept.

===========  ======================================================================================
rows         a document as it is read, and what is wrong with one that cannot be
files        which files a source holds, and in which format
plan         shards: pieces of files that are worked on for themselves, and their hash
jsonl        JSON lines by byte ranges, JSON arrays
tables       CSV and TSV
columns      Parquet and Arrow files
===========  ======================================================================================

Nothing that is read is ever executed, and memory is bounded by the longest line that is accepted.
"""
