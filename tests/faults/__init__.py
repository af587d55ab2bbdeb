"""Whole processes under load while things break, and a judge that believes nobody.

    python -m tests.faults --database postgresql --faults 300 --kills 50

See `program` for what breaks, `judge` for what must hold afterwards.
"""
