"""The version of the system, as `/health` and the API's document tell it."""

VERSION = "0.1.0"
