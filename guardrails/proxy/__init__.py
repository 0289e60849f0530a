"""The reverse proxy: applications in any language, held to a constitution by one changed base URL.

A request passes the `gate` (what is served, to whom, within which limits), then the middleware of
`guardrails.asgi`, which judges it, then the `relay`, which brings it to the provider; the response
comes back the same way. `hosting` keeps the constitutions loaded, `check` judges without a
provider, `operations` tells how it goes, `server` runs one process and `workers` several. May
import lines 0 to 7.
"""
