"""What PyTorch lacks: small modules and checks whose source is copied into generated files that use them.

Each file imports PyTorch alone.  `library.py` reads the sources; nothing here is imported by
what writes them.
"""
