"""Who may come in: accounts, members, passwords, sessions, one-time links, throttling."""
