"""Verdicts that were given before, so that the same question is not asked again.

`names` makes keys and MACs, `value` is what is kept, `memory` and `redis` (over `connection`) are
where, `flights` lets identical questions under way share one answer, `verdicts` puts them together.
Holds no user text: names are keyed digests, values a word and a place. May import lines 0 to 2
of the design.
"""
