"""Everything an admin or a user can do, once, as rows of one typed table. CLI, IRC and web are skins over it.

Knows the records, the house and the ports of :mod:`bouncer.operations.context`; must not know how it is presented.
"""
