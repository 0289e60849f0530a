"""Text as critics see it.

`normalise` gives the view of a text and the way back to the original; `sentences` says where
sentences end; `patterns` compiles a constitution's regular expressions (`dialect` reads them,
`expression` is what they are made of); `scan` searches for many at once. Pure functions of text,
linear in its length. May import `errors` only.
"""
