"""Celery tasks: each takes a primary key, returns when there is nothing to do, makes one call."""
