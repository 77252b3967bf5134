"""Models in folders: the names they go by, what training has written of them, and the precision of this machine."""
