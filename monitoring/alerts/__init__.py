"""The watchdog: looks at rows and at the server, and tells people (docs/alerts.md).

It is a process of its own and uses neither Celery nor Redis, because it has to notice when those
stop. rules.py and surroundings.py find; book.py remembers; channels.py tells; watch.py is the loop.
"""
