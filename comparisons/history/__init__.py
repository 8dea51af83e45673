"""Finished comparisons, kept in one SQLite file, with the audio of their clips beside it.

store         keep, change, list, search, open again           bin          delete, restore, delete for good
conversations what was asked about a clip, and answered        audio        sounds with their rows, neither without the other
database      the file: opened, migrated, or refused           migrations   its tables, version by version
sounds        the audio, one file a sound                      searching    what somebody types, as the index takes it
kept          what it gives: rows, pages, whose they are       differences  two comparisons over the same clip
rows          rows of the tables, to and from what they keep
"""
