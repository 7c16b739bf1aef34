"""Custom-scheme links: what a shop's page asks of the counter, and what it is told in return.

Pure: text in, values out. Whom to believe and whom to answer is decided elsewhere (counter/links).
"""
