"""Blind reviews: people judge transcripts by ear, without knowing whose they are."""
