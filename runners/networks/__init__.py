"""What systems share that are transformers networks. Nothing here knows one family's wire format (``runners.dialects`` does).

checkpoint    a folder with weights: what it holds, and how it is loaded without surprises
holding       a runner that holds a loaded network, or none yet
adapters      low-rank adapters (LoRA): loaded, checked, merged
piecewise     a clip longer than a network hears at once: cut at pauses, each piece heard by itself
pieces        the same for networks that are asked about each piece
generation    answers, token by token, with what earlier turns computed
own_generate  a family's own ``generate``, stoppable and told about while it goes on
chat_cache    what one turn of a conversation computed, kept for the next
chat_template a checkpoint's own template, with people's words as plain tokens
temperatures  a text that loops or is improbable, written again hotter
hearing       a loaded network that hears and talks
answer_length how many tokens an answer may have
tokens        tokens and their text, half characters and control tokens included; tokens that go in circles
pace          how often a text that grows is shown
word_times    when each word was said, from what a network says of its frames
cross_attention  the same from where a decoder looked
word_pieces   words with their times, out of SentencePiece tokens
spectrogram   what networks hear instead of samples, without torchaudio
languages     what languages are called in English, for networks that are told in words
"""
