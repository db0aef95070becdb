from core.errors import Conflict, NotFound


class NoDevice(Conflict):
    code = "no_active_device"
    help = "Initialise a device of this branch with POST /api/device/init/ first."


class ItemNotRetryable(Conflict):
    code = "item_not_retryable"


class MovementNotRetryable(Conflict):
    code = "movement_not_retryable"
    help = "Only a refused movement can be sent again; GET /api/stock/movements/ shows its state."


class MovementReferenceReused(Conflict):
    code = "reference_reused"
    help = "Give the other movement a reference of its own, or repeat the first one unchanged."


class NotAtKRA(Conflict):
    code = "not_registered"
    help = "GET /api/items/?state=draft and ?state=refused show what KRA does not know."


class StockTooLow(Conflict):
    code = "stock_too_low"
    help = "GET /api/stock/ shows what is there. STOCK_ALLOW_NEGATIVE=true lets it go below 0."


class UnknownItems(NotFound):
    code = "unknown_item"
    help = "Create the item with POST /api/item/sync/ first."


class NothingToMove(Conflict):
    code = "nothing_to_move"
    help = "Services and non-fiscal items have no stock at KRA; leave them out."


class RateNotHeld(Conflict):
    code = "rate_not_held"
    help = "manage.py approve_tax_rate without a letter lists what waits."


class ImportUnmatched(Conflict):
    code = "import_unmatched"
    help = "Name an item of your catalogue, or match the line with POST /api/imports/{id}/match/."


class ImportDecided(Conflict):
    code = "import_decided"
    help = "GET /api/imports/{id}/ shows what was decided; only an open line can be decided on."


class ItemUnknownToKRA(Conflict):
    code = "item_not_registered"
    help = "GET /api/items/{sku}/ shows why; the item must be registered and active first."


class CompositionImpossible(Conflict):
    code = "composition_impossible"
    help = "Both must be registered goods, and no item may be a part of itself."


class AmbiguousSku(Conflict):
    code = "ambiguous_sku"
    help = "Use a token of the company; the operator's sees the items of all."
