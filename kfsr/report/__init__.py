"""Results to look at: one page of HTML that needs nothing but a browser."""
