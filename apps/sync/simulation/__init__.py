"""The engine in a world of its own: simulated systems, people, workers and accidents, all moved by one seed.

Nothing in here keeps time, draws a number or opens a connection by itself: every move is chosen by the scheduler, so
that a seed tells the whole story again (INV-44).
"""
