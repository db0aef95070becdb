"""What a buyer may know of a sale, and reads behind its promise link, in English and Kiswahili."""

from dataclasses import dataclass, replace

from sales.models import Invoice, Kind

from .words import Language


@dataclass(frozen=True, slots=True)
class Promise:
    """The state of a sale in a buyer's words. `refresh_s`: 0 when nothing will change by itself."""

    heading: str
    text: str
    refresh_s: int = 0


SOON, LATER = 10, 60
_WAITING = {
    "en": Promise(
        "Waiting for KRA's signature",
        "This is not yet a tax invoice. The page refreshes by itself; the receipt appears here "
        "once KRA has signed it. Keep this address: it stays the same.",
        SOON,
    ),
    "sw": Promise(
        "Inasubiri sahihi ya KRA",
        "Hii bado si ankara ya kodi. Ukurasa hujisasisha wenyewe; risiti itaonekana hapa KRA "
        "ikishasaini. Hifadhi anwani hii: haibadiliki.",
        SOON,
    ),
}
_REFUSED = {
    "en": Promise(
        "Not accepted by KRA",
        "KRA has not accepted this sale as it was sent, so there is no tax invoice. The seller "
        "has to correct it; then the receipt can be reached from here.",
        LATER,
    ),
    "sw": Promise(
        "Haijakubaliwa na KRA",
        "KRA haijakubali mauzo haya jinsi yalivyotumwa, kwa hivyo hakuna ankara ya kodi. "
        "Muuzaji anapaswa kuyasahihisha; kisha risiti itapatikana kupitia hapa.",
        LATER,
    ),
}
_CONFLICT = {
    "en": Promise(
        "Not signed: being checked",
        "What KRA holds under this sale's number is not this sale. The seller is checking it "
        "with KRA; until then there is no tax invoice.",
        LATER,
    ),
    "sw": Promise(
        "Haijasainiwa: inachunguzwa",
        "Kumbukumbu za KRA kwa nambari ya mauzo haya si mauzo haya. Muuzaji anachunguza na KRA; "
        "hadi hapo hakuna ankara ya kodi.",
        LATER,
    ),
}
_VOIDED = {
    "en": Promise(
        "Cancelled by the seller",
        "The seller has cancelled this sale. There is no tax invoice for it. "
        "If you paid, please ask the seller.",
    ),
    "sw": Promise(
        "Imefutwa na muuzaji",
        "Muuzaji amefuta mauzo haya. Hakuna ankara ya kodi. "
        "Ikiwa ulilipa, tafadhali muulize muuzaji.",
    ),
}
_CORRECTED = {
    "en": Promise(
        "Corrected by the seller",
        "The seller has replaced this sale by a corrected one. This one has no tax invoice.",
    ),
    "sw": Promise(
        "Imesahihishwa na muuzaji",
        "Muuzaji amebadilisha mauzo haya kwa yaliyosahihishwa. Haya hayana ankara ya kodi.",
    ),
}
_TRAINING = {
    "en": Promise(
        "Training: nothing was sold",
        "The seller was practising. KRA knows nothing of this and will sign nothing.",
    ),
    "sw": Promise(
        "Mafunzo: hakuna kilichouzwa",
        "Muuzaji alikuwa akijifunza. KRA haijui lolote na haitasaini chochote.",
    ),
}
_SIGNED = {
    "en": Promise("Signed by KRA", "The seller prints the original; this is your copy."),
    "sw": Promise("Imesainiwa na KRA", "Muuzaji huchapisha risiti halisi; hii ni nakala yako."),
}
_BY_SANDBOX = {
    "en": Promise("Signed in KRA's sandbox", "A test of the seller's: not a tax invoice."),
    "sw": Promise("Imesainiwa katika sandbox ya KRA", "Jaribio la muuzaji: si ankara ya kodi."),
}
_BY_SIMULATOR = {
    "en": Promise("Signed by a simulator, not by KRA", "A try-out: KRA knows nothing of it."),
    "sw": Promise("Imesainiwa na simulator, si KRA", "Jaribio tu: KRA haijui lolote kuihusu."),
}
PROMISES = {
    "queued": _WAITING,
    "sending": _WAITING,
    "unknown": _WAITING,
    "refused": _REFUSED,
    "conflict": _CONFLICT,
    "voided": _VOIDED,
    "superseded": _CORRECTED,
    "training": _TRAINING,
}
# In place of the texts above, where what waits takes a sale back.
_NOTE_WAITING = {
    "en": "This credit note is not signed yet. The page refreshes by itself; the credit note "
    "appears here once KRA has signed it. Keep this address: it stays the same.",
    "sw": "Hati hii ya kurejesha bado haijasainiwa. Ukurasa hujisasisha wenyewe; hati itaonekana "
    "hapa KRA ikishaisaini. Hifadhi anwani hii: haibadiliki.",
}
NOTE_TEXTS = {
    "queued": _NOTE_WAITING,
    "sending": _NOTE_WAITING,
    "unknown": _NOTE_WAITING,
    "refused": {
        "en": "KRA has not accepted this credit note as it was sent. "
        "The seller has to put it right.",
        "sw": "KRA haijakubali hati hii ya kurejesha jinsi ilivyotumwa. "
        "Muuzaji anapaswa kuirekebisha.",
    },
    "conflict": {
        "en": "What KRA holds under this credit note's number is not this credit note. "
        "The seller is checking it with KRA.",
        "sw": "Kumbukumbu za KRA kwa nambari ya hati hii ya kurejesha si hati hii. "
        "Muuzaji anachunguza na KRA.",
    },
    "voided": {
        "en": "The seller has cancelled this credit note. If you expected it, please ask the "
        "seller.",
        "sw": "Muuzaji amefuta hati hii ya kurejesha. Ikiwa uliitarajia, tafadhali muulize "
        "muuzaji.",
    },
    "superseded": {
        "en": "The seller has replaced this credit note by a corrected one.",
        "sw": "Muuzaji amebadilisha hati hii ya kurejesha kwa iliyosahihishwa.",
    },
}
SIGNERS = {"production": _SIGNED, "sandbox": _BY_SANDBOX, "simulator": _BY_SIMULATOR}
CAPTIONS = {
    "en": {
        "this_page": "This page, for your phone",
        "newer": "To the corrected sale",
        "credited": "Credit notes of this receipt, signed:",
        "total": "Total",
        "credit_note": "Credit note, total",
    },
    "sw": {
        "this_page": "Ukurasa huu, kwa simu yako",
        "newer": "Kwa mauzo yaliyosahihishwa",
        "credited": "Hati za kurejesha za risiti hii, zilizosainiwa:",
        "total": "Jumla",
        "credit_note": "Hati ya kurejesha, jumla",
    },
}


def promise_of(invoice: Invoice, language: Language) -> Promise:
    """Signed only when KRA's signature is in our records, whatever else the sale's state says."""
    if getattr(invoice, "receipt", None) is not None:
        return SIGNERS[invoice.company.environment][language]
    # "signed" without a receipt: accepted this moment, and still being stored.
    status = invoice.status if invoice.status in PROMISES else "queued"
    promise = PROMISES[status][language]
    if invoice.kind == Kind.CREDIT_NOTE and status in NOTE_TEXTS:
        return replace(promise, text=NOTE_TEXTS[status][language])
    return promise
