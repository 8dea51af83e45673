"""Texts before they are held against each other: raw words and what they stand for, and what normalising did to them."""
