"""Finished comparisons, kept in one SQLite file, with the audio of their clips beside it.

store        keep, change, list, search, open again, delete    kept         what it gives: rows, pages, whose they are
database     the file: opened, migrated, or refused            migrations   its tables, version by version
sounds       the audio, one file a sound                       searching    what somebody types, as the index takes it
differences  two comparisons over the same clip
"""
