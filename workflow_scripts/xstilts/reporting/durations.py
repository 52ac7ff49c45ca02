"""Computing time in the unit in which it is read best."""

_UNITS = {"hours": 3600, "minutes": 60, "seconds": 1}


def unit(seconds: float) -> str:
    """Return the largest unit of which a time is one or more, else seconds."""
    return next((name for name, size in _UNITS.items() if seconds >= size), "seconds")


def number(seconds: float, unit: str) -> str:
    """Return a time as a number of units: to a tenth, and below one to a hundredth."""
    value = seconds / _UNITS[unit]
    return f"{value:,.1f}" if value >= 1 or not value else f"{value:.2f}"
