"""Word documents prepared for mammoth, which converts them to HTML.

What mammoth does not know is written out before: numbers of lists, equations, hidden text.
"""
