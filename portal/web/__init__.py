"""How a page or a command is made: scope, render, lists, confirm flow, fields, errors, headers."""
