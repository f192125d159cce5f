"""Runtime: hosts, stops, watchdogs, the work directory and what a run writes there."""
