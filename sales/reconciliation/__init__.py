"""Do our books match KRA's? By number, count, total and VAT. Nothing here ever sends a sale."""
