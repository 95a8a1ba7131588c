"""What a study found, for people: tables for the terminal, plots, one page to keep."""
