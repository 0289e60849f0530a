"""Texts made ready for people to look at: cut up at their findings, and nothing in them unseen.

Pure. May import lines 0 and 1.
"""
