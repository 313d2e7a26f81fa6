"""The federation: messages, client, server, aggregation, sampling and the round loop."""
