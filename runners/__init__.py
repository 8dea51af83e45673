"""Speech systems, and what it takes to run them. A map for newcomers:

    the seam        base (what a runner is), events (what happens to a contender), settings
    the systems     moonshine, pocketsphinx, whisper, faster_whisper, ctc, phi4_multimodal, qwen2_audio, scripted: one file each
    for systems     audio and decode (clips), networks/ (what transformers networks share)
    what exists     catalogue (a row a model), prompts (templates; built_in_prompts.toml, control_tokens, oddities), contenders
                    (a system's name and a template's, joined)
    what can run    here/: availability, and what it looks at
    running         pool (turns, warm models) -> process (a child, seen from here) or inline -> worker (in the child);
                    isolation/ has their parts
    conversations/  questions about a clip and their answers; ask is their command line (terminal, batches: for any command)

``python -m runners`` lists every system and whether it can run here.
"""
