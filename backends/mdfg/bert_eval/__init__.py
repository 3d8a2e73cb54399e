"""BERTEval, the quality model of ChineseWebText 1.0 and 2.0 (spec A3): a BERT, a head of one line, and its losses.

=========  ====================================================================================================
segments   a document cut into pieces of at most 510 characters; nothing is lost
encoders   what reads a piece: any Hugging Face BERT by reference, or hashed n-grams where there is no GPU
network    z = Dropout -> Linear([max over tokens ; pooled]), score = sigmoid(z)
objective  alpha MSE + beta MR + gamma SIM, with MR as the paper means it or as the official code computes it
fit        stage 1 (supervised) and the weighted pass of stage 2
selection  runs of good pieces, and one score a document from the scores of its pieces
scorer     all of it behind the interface of every scorer; how it is kept in files
=========  ====================================================================================================

Stage 2 (uncertainty-aware self-training) is in ``backends.mdfg.ust``.
"""
