"""Where settings and lines are kept: SQLite, and a fake in memory that behaves alike. Knows no room of its floor."""
