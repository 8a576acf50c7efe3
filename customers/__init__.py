"""Who owns what: customers, facilities, storage units, sensors, people, tokens and access."""
