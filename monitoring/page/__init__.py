"""The dashboard as a page for people: /dashboard/. Server-rendered, with nothing from elsewhere."""
