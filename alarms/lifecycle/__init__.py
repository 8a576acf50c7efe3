"""The life cycle of alarms: transitions by the system, actions by people, and events."""
