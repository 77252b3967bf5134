"""How work runs: stage after stage, in threads or on a cluster, with its progress shown and within its limits."""
