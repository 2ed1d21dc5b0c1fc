"""The program: settings, composition, supervision, command line."""
