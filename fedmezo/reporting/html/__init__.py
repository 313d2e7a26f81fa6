"""The report: what the folders of runs hold, as one HTML page."""
