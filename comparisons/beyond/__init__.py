"""What an error rate does not say of a transcript."""
