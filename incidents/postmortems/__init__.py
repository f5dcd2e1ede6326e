"""What was learned: a guided document, language hints, action items that commits close."""
