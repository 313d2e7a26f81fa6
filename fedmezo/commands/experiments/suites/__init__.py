"""Suites: grids of runs whose results are a table and a figure, such as those of the paper."""
