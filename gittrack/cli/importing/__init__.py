"""`gittrack import`: take up what other trackers recorded."""
