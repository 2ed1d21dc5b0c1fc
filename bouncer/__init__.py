"""An IRC bouncer: one process that stays on IRC for its users."""

__version__ = "0.1.0.dev0"
