"""From parts to a ruling: plan, tiers, decide, remedies, judged again. May import lines 0 to 4.

`plan` refuses what can be refused before a request comes; `views` prepares what critics may see;
`consult` asks one critic and turns any failure into a value; `tiers` asks them cheapest first;
`decide` is the pure rule from observations to a verdict; `remedy` changes a text without a model;
`engine` runs the loop. Of a reply that comes in pieces `rhythm` says how it is let go, `holdback`
where it may be cut, `progress` judges what is held and lets it go, `so_far` is the reply so far as
a content, `given` what of it has left, `account` what all of its judgements come to.
"""
