"""A program of its own: `python -I -S`, standard library only, so that it starts in a few hundredths of a second.

The worker imports it to know the words of their conversation, and never runs it in its own process.
"""
