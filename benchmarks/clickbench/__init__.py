"""ClickBench: a table of 105 columns that we generate, and the 43 published queries over it."""
