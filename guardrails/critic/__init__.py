"""What a critic is, and where critics are found. May import from lines 0 to 2 of the design.

`protocol` is the contract, `registry` the catalogue, `limits` the handles on time and money.
"""
