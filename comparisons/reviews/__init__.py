"""Blind reviews: people judge transcripts by ear, without knowing whose they are.

review         clips, what each judge sees, in which order      chance         draws that only a secret decides
store          made, opened, voted on once, in the history      ballots        what judges say, checked
preferences    who was preferred to whom                        bradley_terry  how strong each system is
alpha          how far judges agree                             against_rate   preference held against error rates
outcome        what came of it                                  export         as JSON and CSV
"""
