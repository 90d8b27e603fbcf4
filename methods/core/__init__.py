"""What every method stands on: the interface, the registry, cards, and the checks of what a person typed."""
