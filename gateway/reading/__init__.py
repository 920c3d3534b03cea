"""Reading vendors' bodies: bytes to fields, fields to the lead's own vocabulary. Pure functions, no clock."""
