"""What is owed: lines, consumption tax, closing and due dates.

Pure functions, without a database.
"""
