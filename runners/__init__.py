"""Speech systems, and what it takes to run them. A map for newcomers:

the seam        base (what a runner is), events (what happens to a contender), settings (settings_file: earshot.toml)
the systems     one file a route, a class in it, many models by it: moonshine, pocketsphinx (weights in their packages);
                whisper, faster_whisper, ctc, transducers, encoder_decoders, kyutai_stt, speech_llms (write down);
                phi4_multimodal, qwen2_audio, audio_chat (are told what to do, and talk); served (on a server); scripted
for systems     audio and decode (clips), networks/ (what transformers networks share), dialects/ (what is one family's
                own), remote/ (talking to a server), scripts/ (what ``scripted`` says)
what exists     catalogue/: a row a model, names, presets; prompts (templates; built_in_prompts.toml, control_tokens,
                oddities)
what can run    here/: availability, and what it looks at; hub/: weights on the disk and on their way
running         pool (turns, warm models) -> process (a child, seen from here) or inline -> worker (in the child);
                isolation/ has their parts
conversations/  questions about a clip and their answers
commands        ``python -m runners`` lists every system and whether it can run here; ask asks about a clip; downloads
                fetches, lists and removes models (terminal, batches: for any command)
"""
