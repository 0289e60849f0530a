"""From parts to a ruling: plan, tiers, decide, remedies, judged again. May import lines 0 to 4.

`plan` refuses what can be refused before a request comes; `views` prepares what critics may see;
`consult` asks one critic and turns any failure into a value; `tiers` asks them cheapest first;
`decide` is the pure rule from observations to a verdict; `remedy` changes a text without a model;
`engine` runs the loop. Of a reply that comes in pieces `rhythm` says how it is let go, `holdback`
where it may be cut, `glance` where that is best by a look without a model, `progress` judges what
is held and lets it go. `texts` are those of the reply, `given` is what of one has left, `so_far`
the reply so far as a content, `account` what all of its judgements come to.
"""
