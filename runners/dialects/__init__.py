"""What is one family's own among networks that hear: how it is asked, and how its answers are read.

dialect           what those of ``runners.speech_llms`` share: a template, a tokenizer, limits
granite_speech    asked in words
qwen3_asr         says the language first
glm_asr           a window and a fixed question
fun_asr           a question in Chinese
vibevoice_asr     JSON with times and speakers
voxtral_realtime  a token for each 80 ms

Those of ``runners.audio_chat``, which talk too:

voxtral           Mistral's wire format and vocabulary, windows of 30 s
qwen_omni         the thinker without what speaks
gemma             without what sees, windows of 30 s
audio_flamingo    one stretch of audio, a sentence around the transcript

And for one runner each:

mms               what it calls its languages, and their adapters' files
seamless_m4t      what it calls the languages that it writes
tekken            Mistral's vocabulary: text from tokens
"""
