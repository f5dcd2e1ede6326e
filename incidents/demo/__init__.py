"""What the demo tells of incidents: one that is open, one that is over and learned from, and what people outside see.

Everything goes through the services, and hangs on what git says about the demo's hotfixes: an incident was noticed
before its fix was written, and called over after the fix was live. What people said meanwhile is dated back; the ledger
tells when the dashboard learned of it.
"""
