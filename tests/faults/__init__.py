"""Whole processes under load while things break, and a judge that believes nobody.

    python -m tests.faults --database postgresql --faults 300 --kills 50

    python -m tests.faults.channels --deliveries 10000 --faults 100

See `program` and `channels` for what breaks, `judge` for what must hold afterwards.
"""
