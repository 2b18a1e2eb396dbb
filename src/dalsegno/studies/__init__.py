"""Studies: a claim, the arms compared, and what is measured; and the demonstration of the whole."""
