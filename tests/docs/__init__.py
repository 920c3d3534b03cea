"""Every example in the documentation is run or validated, and every name in it exists."""
