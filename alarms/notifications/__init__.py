"""Notifications of alarms: dispatch, routing, grouping, reminders and delivery."""
