"""Receipts as PDF: invoices on A4 over as many pages as it takes, and rolls of 80 and 58 mm as one
long page. The same document gives the same bytes.
"""
