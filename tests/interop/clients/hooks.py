"""What Schemathesis does not know by itself: TOML is sent as text is."""

import schemathesis

schemathesis.serializer.alias("application/toml", "text/plain")
