"""Dataset builders: `python -m training.build rs_webli|rs_landmarks|ground_pairs|overhead --help`."""
