"""The audit trail as people read it: which entries they may see, and how those are presented and exported."""
