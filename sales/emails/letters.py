"""What the mail says, in the company's language."""

from sales.models import Invoice
from sales.receipts.document import ReceiptDocument

SUBJECTS = {"en": "{title} {number} from {seller}", "sw": "{title} {number} kutoka {seller}"}
TEXTS = {
    "en": (
        "Thank you for buying from {seller}.\n\n"
        "{title} {number}\nTotal: {currency} {total}\nDate: {date} {time}\n\n"
        "The receipt is attached. You can also look at it here, and check it with KRA:\n{link}\n\n"
        "Please do not answer this message; the seller does not read answers to it.\n"
    ),
    "sw": (
        "Asante kwa kununua kutoka {seller}.\n\n"
        "{title} {number}\nJumla: {currency} {total}\nTarehe: {date} {time}\n\n"
        "Risiti imeambatishwa. Unaweza pia kuiona hapa, na kuithibitisha na KRA:\n{link}\n\n"
        "Tafadhali usijibu ujumbe huu; muuzaji hasomi majibu yake.\n"
    ),
}


def letter_of(invoice: Invoice, document: ReceiptDocument) -> tuple[str, str]:
    """Subject and text. A subject is one line, whatever names are in it."""
    scu, sums = document.scu, {each.caption: each.amount for each in document.sums}
    title = document.title
    if document.environment_notice:
        title = f"{': '.join(document.environment_notice)}. {title}"
    facts = {
        "title": title,
        "number": scu.cu_invoice_number if scu else document.tis.receipt_number,
        "seller": document.seller.name,
        "currency": "KES",
        "total": sums["TOTAL"],
        "date": document.tis.date,
        "time": document.tis.time,
        "link": invoice.public_url,
    }
    subject = SUBJECTS[document.language].format(**facts)
    return " ".join(subject.split()), TEXTS[document.language].format(**facts)
