"""What views and tasks ask of purchases."""

from .confirming import Wanted, confirm
from .fetching import Synced, speaker_of, sync_branch
from .leaving import reject, reopen, retry
from .matching import Choice, Suggestion, match, suggestions_for

__all__ = [
    "Choice",
    "Suggestion",
    "Synced",
    "Wanted",
    "confirm",
    "match",
    "reject",
    "reopen",
    "retry",
    "speaker_of",
    "suggestions_for",
    "sync_branch",
]
