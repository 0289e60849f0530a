"""One local page on which an author types a prompt and a reply and sees what a constitution says.

`bench` holds the constitution while its file changes, `answers` makes documents of what was
decided, `server` serves the page. May import lines 0 to 7, and `display`.
"""
