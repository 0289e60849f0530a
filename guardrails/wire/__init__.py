"""Between what applications hold (values, messages, SDK objects) and the parts that are judged.

`walk` is the one way through a value, to read it and to put changed texts back; `shapes` says which
fields of the providers' formats hold no text; `values` and `messages` read; `replies` puts a reply
where the value was; `formats` knows bodies by their names, and `streams` reads them as they come.
May import `verdict`, `exchange` and what is below them.
"""
