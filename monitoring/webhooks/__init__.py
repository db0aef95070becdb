"""Tell a company's own systems what became of its sales: by webhooks, and by a feed to ask."""
