"""The simulated world: fleets, temperatures, faults, transport errors, and the ledger of what was sent."""
