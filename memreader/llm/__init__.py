"""Model clients behind one protocol, and the dispatcher that limits, retries and shares calls."""
