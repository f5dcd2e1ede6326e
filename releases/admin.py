"""Django admin: accounts' view of the rows, read-mostly."""
