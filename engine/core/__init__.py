"""The ground floor: what every process shares."""
