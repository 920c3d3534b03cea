"""What an operator sees first: how the installation stands, and the next command for everything that is not well."""
