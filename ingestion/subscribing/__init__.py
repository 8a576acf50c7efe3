"""Sources that subscribe to topics of an MQTT broker."""
