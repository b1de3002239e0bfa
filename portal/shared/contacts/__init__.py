"""Where an account's invoices and goods go: its billing and delivery addresses (COM-31, COM-32)."""
