"""`gittrack exp`: record, compare and use experiments."""
