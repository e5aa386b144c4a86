"""Spans of time with names (docs/scoring.md, "Time")."""

import datetime
import re

HOUR_MS = 3_600_000
SPANS = {"": 1, "/24h": 24, "/7d": 7 * 24, "/28d": 28 * 24}


class Hour:
    """An hour of UTC, half-open."""

    def __init__(self, text):
        """The hour of that name; a ValueError where it is none."""
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\dZ", text, re.ASCII):
            raise ValueError(f"{text} is not an hour")
        begin = datetime.datetime.strptime(text, "%Y-%m-%dT%HZ").replace(tzinfo=datetime.timezone.utc)
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        self.text = text
        self.start = (begin - epoch) // datetime.timedelta(milliseconds=1)
        self.end = self.start + HOUR_MS

    def holds(self, moment):
        """Whether a moment lies in it."""
        return self.start <= moment < self.end


class Window:
    """The span that ends with an hour."""

    def __init__(self, text):
        """The window of that name; a ValueError where it is none."""
        last, slash, span = text.partition("/")
        if slash + span not in SPANS:
            raise ValueError(f"{text} is not a window")
        self.text, self.last = text, Hour(last)
        self.hours = SPANS[slash + span]
        self.start, self.end = self.last.end - self.hours * HOUR_MS, self.last.end

    def is_hour(self):
        """Whether it is a single hour."""
        return self.hours == 1

    def holds(self, hour):
        """Whether an hour is one of its own."""
        return self.start <= hour.start < self.end
