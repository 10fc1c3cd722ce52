"""Faults on a time line: what to break, in whom, when, and how it came back."""
