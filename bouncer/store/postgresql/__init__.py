"""The store on PostgreSQL. What the dialects share is one floor up, in bouncer/store."""
