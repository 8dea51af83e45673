"""Speech systems, and what it takes to run them. A map for newcomers:

    the seam        base (what a runner is), events (what happens to a contender), settings
    the systems     moonshine, pocketsphinx, whisper, faster_whisper, ctc, scripted: one file each
    for systems     audio and decode (clips), checkpoint (loading a transformers folder), word_times
    what exists     catalogue (a row a model)
    what can run    availability, from packages (what is installed), hub (the cache, downloads), weights (what a folder
                    holds) and places (where a model goes), which takes need (how much memory it takes) and machine
                    (devices, memory; control_groups: a container's)
    running         pool (turns, warm models) -> process (a child, seen from here) or inline -> worker (in the child)
                    isolation/ has their parts, memory measures

``python -m runners`` lists every system and whether it can run here.
"""
