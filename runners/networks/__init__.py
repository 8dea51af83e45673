"""What systems share that are transformers networks. Nothing here knows one family's wire format.

checkpoint  a folder with weights: what it holds, and how it is loaded without surprises
adapters    low-rank adapters (LoRA): loaded, checked, merged
generation  answers, token by token
pieces      a clip told in pieces, each asked about by itself
chat_cache  what one turn of a conversation computed, kept for the next
tokens      tokens and their text, half characters and control tokens included
word_times  when each word was said, from what a network says of its frames
"""
