"""People's accounts: invitations, mail about them, passwords, sessions and second factors."""
