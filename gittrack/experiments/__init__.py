"""The record of an experiment: format, store, index, query, table, diff, sharing."""
