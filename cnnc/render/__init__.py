"""Tables and summaries: plain text, rich in a terminal, HTML in a notebook."""
