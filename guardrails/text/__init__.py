"""Text as critics see it: normalised with a map back, cut into sentences, searched for patterns.

May import `errors` only.
"""
