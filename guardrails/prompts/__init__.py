"""What models are told: templates with a version and a digest, and the walls round judged text.

`walls` keeps judged text apart from instructions, `rules` words principles, `judging` and
`revising` are the two templates, `quotes` finds a quote again. Pure, but for random delimiters.
May import lines 0 to 2.
"""
