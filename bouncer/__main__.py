"""``python -m bouncer`` is the command ``bouncer``."""

from bouncer.app.cli import main

if __name__ == "__main__":
    main()
