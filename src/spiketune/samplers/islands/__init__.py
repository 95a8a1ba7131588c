"""Asynchronous evolution on islands: propagators, migration, pollination."""
