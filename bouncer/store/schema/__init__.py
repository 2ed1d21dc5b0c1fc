"""The forward migrations: ``NNNN.sql`` takes a database from schema NNNN-1 to NNNN. A released one never changes."""
