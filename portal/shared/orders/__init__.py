"""What the orders of all brands have in common, whatever they are called there.

An order keeps names, addresses and prices as they were when it was made (COM-33); each step of its
life is one conditional UPDATE, an audit row and a mail to its contact person.
"""
