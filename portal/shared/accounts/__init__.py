"""Who the customers are: accounts, their members, and what each may do."""
