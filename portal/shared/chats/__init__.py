"""Live chat inside business hours; what is said there is an inquiry's thread (SUP-11)."""
