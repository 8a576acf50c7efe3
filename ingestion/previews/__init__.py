"""Previews: how a body would be understood and what would become of its rows, without storing anything."""
