"""The daemon: inbox, dispatch, memory, people, commands, schedule, HTTP, telemetry, command line."""
