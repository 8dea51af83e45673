"""Speech systems, and what it takes to run them. A map for newcomers:

    the seam        base (what a runner is), events (what happens to a contender), settings
    the systems     moonshine, pocketsphinx, whisper, faster_whisper, ctc, scripted: one file each
    for systems     audio and decode (clips), checkpoint (loading a transformers folder), word_times
    what exists     catalogue (a row a model)
    what can run    availability, from machine (devices, memory; control_groups: a container's), packages (what is
                    installed), hub (the cache, downloads) and weights (what a folder holds)
    running         pool (turns, warm models) -> process (a child, seen from here) or inline -> worker (in the child)
                    isolation/ has their parts, memory measures

``python -m runners`` lists every system and whether it can run here.
"""
