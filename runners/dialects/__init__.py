"""What is one family's own among networks that hear: how it is asked, and how its answers are read.

dialect           what those of ``runners.speech_llms`` share: a template, a tokenizer, limits
granite_speech    asked in words
qwen3_asr         says the language first
glm_asr           a window and a fixed question
fun_asr           a question in Chinese
vibevoice_asr     JSON with times and speakers
voxtral_realtime  a token for each 80 ms
"""
