"""Incidents while they last: states, updates, roles, components, facts from git and deploys."""
