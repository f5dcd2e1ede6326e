"""What is told to whom: channels, an outbox, and delivery that loses nothing."""
