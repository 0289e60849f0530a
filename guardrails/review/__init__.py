"""Cases for people: what was escalated, what somebody said of it, and who is told of a new one.

`cases` reads and decides them over the audit trail, `webhook` tells another system. May import
lines 0 to 2.
"""
