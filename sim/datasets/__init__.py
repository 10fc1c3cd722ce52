"""Labelled pairs and a workload of household questions, built from templates.

Pure: a seed in, the same data out. `python -m sim.datasets` writes them as files.
"""
