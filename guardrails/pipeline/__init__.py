"""From parts to a ruling: plan, tiers, decide, remedies, judged again. May import lines 0 to 4.

`plan` refuses what can be refused before a request comes; `views` prepares what critics may see;
`consult` asks one critic and turns any failure into a value; `tiers` asks them cheapest first;
`decide` is the pure rule from observations to a verdict; `remedy` changes a text without a model;
`engine` runs the loop.
"""
