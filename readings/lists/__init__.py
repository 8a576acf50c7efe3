"""Lists of readings: filters, pages, public ids and exports."""
