"""The types that a state may hold, a file for each family: how each is written as JSON and made again."""
