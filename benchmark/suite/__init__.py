"""From a YAML file to a plan of runs."""
