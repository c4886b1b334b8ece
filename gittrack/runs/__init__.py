"""What writes an experiment: the live run, its journal, capture and recovery."""
