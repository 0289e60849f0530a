"""What helps to write a constitution well: findings about its file, and the tests that stand in it.

`lint` is the way to the findings, `codes` their table; `cases` runs the tests. What a file says and
where is `subject`; what its critics make of its own texts is `trials`; the rules themselves are
`wording`, `examples`, `patterns`, `stages`, `delivered`, `coverage` and `ignores`, pure functions
over both. May import lines 0 to 6.
"""
