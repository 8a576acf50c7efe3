"""The ground level: access scope, API and page building blocks, database access, guarded HTTP, encryption, leases."""
