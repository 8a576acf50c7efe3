"""The system on several machines, played by processes on ports of their own, of which one after another is removed."""
