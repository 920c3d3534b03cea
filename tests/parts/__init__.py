"""What the test session itself is made of: which parts of the outside a test needs, and whether they are here."""
