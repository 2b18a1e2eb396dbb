"""Views of runs: progress and tables in the terminal, and pages that open with no network."""
