"""Training causal language models on the replies of one speaker: masks, loss, optimisation, checkpoints.

===========  ==================================================================================================
examples     chats to token ids with a kind for every token; one example a chat equals one example a reply
batches      the order of examples of every epoch, mixed by weight; padding
objective    L = (1/N) sum over replies [ lambda * NLL(head) + NLL(rest) ], only at the tokens of replies
schedule     cosine with warm-up, a function of the step alone
weights      what is trained: LoRA adapters or the whole model; how it is saved
checkpoint   safetensors and JSON under a name that appears only when complete
fit          the loop: one process or several under ``accelerate launch``, on the processor or on GPUs
measure      perplexity of held-out replies, and of the same reply under other heads in one pass
===========  ==================================================================================================

Everything random is a function of (seed, step) alone: the order of examples, the weights an adapter starts from and
dropout. So a run that was killed goes on from its checkpoint to the same weights, bit for bit on one processor.
"""
