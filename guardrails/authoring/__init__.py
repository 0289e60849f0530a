"""What helps to write a constitution well: a file to begin with, findings, tests, explanations.

`scaffold` writes a file to begin with. `lint` is the way to the findings, `codes` their table; what
a file says and where is `subject`; what its critics make of its own texts is `trials`; the rules
themselves are `wording`, `examples`, `patterns`, `stages`, `delivered`, `coverage` and `ignores`,
pure functions over both. `cases` runs a file's tests; `pytest_plugin` and `pytest_items` let pytest
do so. `explain` tells what happens to a text, with `because` and `places`; `difference` what parts
two constitutions, with `strictness`. May import lines 0 to 6.
"""
