"""Models, behind one protocol. Vendors' SDKs are imported late; a further backend is one file.

`protocol` says what is asked and answered; `anthropic` and `openai` speak to endpoints. `endpoint`
keeps an endpoint's limits: what an attempt came to (`attempts`), when to stop asking (`breaker`),
how much at once (`slots`). `prices` knows what tokens cost, `prefixes` whether keeping one with its
provider pays, and `roles` which model plays which role. May import lines 0 and 1.
"""
