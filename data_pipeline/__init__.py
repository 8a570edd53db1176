"""Reanalysis in, training store out: read, canonicalise, check, regrid, store, feed."""
