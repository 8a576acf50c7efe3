"""Every page, the admin's forms and signing in, across the apps."""
