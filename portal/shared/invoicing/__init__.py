"""What is billed and what is paid: items, invoices over one or many orders, payments, credit notes.

What is owed is always the sum of invoices less credit notes less allocations
(docs/decisions/billing.md).
"""
