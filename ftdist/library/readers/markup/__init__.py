"""The text model of documents written in markup: what a reader of a page sees, as blocks.

`parse_html` runs these over a page's tree, one after the other: `roles` gives elements the names of
what they act as, `visibility` removes what nobody sees, `navigation` what leads elsewhere, `inline`
writes equations, pictures and raised text as plain text, and `blocks` reads the rest.
"""
