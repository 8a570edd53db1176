"""From sources to a finished training store: gather, check, write in slabs, summarise, publish."""
