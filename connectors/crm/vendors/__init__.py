"""One module or package per vendor; each holds a `REGISTRATION` that `connectors.crm.registry` finds."""
