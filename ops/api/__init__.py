"""The HTTP API and the console on it: what tenants and operators read."""
