"""Statistics of any storage units over any period, computed from roll-ups."""
