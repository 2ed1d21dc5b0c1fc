"""The forward migrations: ``NNNN.sql`` takes a schema from NNNN-1 to NNNN. A released one never changes."""
