"""Event loops: one of our own for callers that have none (`private`), and what is made once for
each loop that uses it (`per_loop`). Imports nothing of the project."""
