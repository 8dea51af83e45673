"""Conversations about a clip; ``python -m runners.ask`` and the page's *Ask* tab hold them.

conversation  what was asked and what came of it, as plain data
asking        gets a question answered: whole, in parts, or piece by piece
record        a conversation as JSON or Markdown
"""
