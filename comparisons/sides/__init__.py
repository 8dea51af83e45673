"""Transcripts side by side: marked words, when each was said, and passages across all contenders."""
