"""Own components: functions from plain values to HTML, shared by every tab."""
