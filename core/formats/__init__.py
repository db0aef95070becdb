"""How Django writes dates and times where people read them."""
