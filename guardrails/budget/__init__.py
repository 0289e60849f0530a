"""What a tenant and a subject may spend on models in a day.

`amounts` is what is counted, `memory` and `redis` are where, `daily` says whose count a call goes
to and what is refused. Names of counts are keyed digests. May import lines 0 to 3 of the design.
"""
