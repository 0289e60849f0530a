"""The record: what was decided, what was delivered, and proof that neither was changed since.

`record` says what is written, `chain` how entries hold together (both pure), `keys` with what they
are authenticated; `trail` is the way in for the guard, `verify` and `read` the way out.
May import from lines 0 and 1 of the design.
"""
