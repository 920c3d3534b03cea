"""The embedded stack: the broker, the Kafka, the emulator and the child processes that demo, `up` and tests start."""
