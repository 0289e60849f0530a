"""Bodies read as they come: bytes split anywhere become events, and events tell of parts.

A reader does no I/O and decides nothing. `model` has what all of them speak in; `frames` finds the
events of an event stream, `finding` the texts in one, `json_events` is what readers of JSON share;
then there is a module for each format.
"""
