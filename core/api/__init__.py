"""Building blocks of the REST API that know nothing about customers or readings."""
