"""Experiments in the forms of other trackers, so that their own programs show them."""
