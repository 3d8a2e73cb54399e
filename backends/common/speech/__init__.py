"""Everything about sound that more than one method can use: reading it, hearing words in it, measuring what was heard.

===============  ==========================================================================================
module           what
===============  ==========================================================================================
audio            any sound file, slice or array into mono float32 at 16 kHz, with limits before reading
manifests        lists of clips with the published field names; slices of files and of uncompressed zips
emotions         the five emotions, their numbers, synonyms and the letters of other corpora
ct2              reads the ``model.bin`` of CTranslate2
whisper_convert  makes a folder for transformers of such a Whisper
whisper          log-mel and the states of every encoder layer, padded to 30 s or not
transcribe       the words of a clip
vad              where somebody speaks, and when they have finished
voice            a sentence spoken by espeak-ng
origin           whether people speak in clips, or voices of a program
shown            a wave and a spectrogram small enough to draw
scores           weighted and unweighted accuracy, confusion, intervals over speakers
folds            splits in which nobody is on both sides
===============  ==========================================================================================
"""
