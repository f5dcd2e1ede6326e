"""The pages that stakeholders watch: what they hold, who subscribed, and copies that survive an outage."""
