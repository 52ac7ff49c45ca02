"""Metrics, in the tree so that their values cannot change from one release of a library to the next."""
