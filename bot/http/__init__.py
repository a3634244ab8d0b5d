"""The HTTP door: questions as JSON or as an event stream, an OpenAI-compatible face, probes, status and metrics."""
