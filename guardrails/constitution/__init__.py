"""The constitution: reading its YAML, merging parents, checking it, its digest and JSON Schema.

Imports from `errors`, `text`, `verdict` only; critics are known through the catalogue that callers
pass in. A file goes `find` → `source` (places) → `validate` (the models of `document`, with its
`sections` and what it is `relaxing`) → `inherit` (parents) → `settle` (defaults, critics,
cross-checks) → `digest`; `load` is the way in. `schema` says as JSON Schema what `document`
accepts.
"""
