"""What can be said without a reference: all hypotheses at once, and how far they agree."""
