"""The model and its runs: networks, training, rollout, files, command line."""
