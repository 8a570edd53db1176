"""``python -m forecast`` is ``sphercast``."""

from forecast.cli import main

if __name__ == "__main__":
    main()
