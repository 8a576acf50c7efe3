"""Tamper evidence: the chain over the audit trail, the roots of closed days, and their verification."""
