"""Every installed karrio extension as a carrier of the hub."""
