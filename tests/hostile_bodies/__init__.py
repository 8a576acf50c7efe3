"""Bodies made to exhaust memory or time, and the measuring of what a process needs to refuse or load them."""
