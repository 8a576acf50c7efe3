"""The REST API as a whole: who may call what, what every operation does alike, and the clients in clients/."""
