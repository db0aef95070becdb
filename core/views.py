from typing import Any

from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response


def answered(output: Any, *, is_new: bool, status: int = 200) -> Response:
    """A repeat says that it is one, and that nothing was done twice; it is always a 200."""
    headers = {} if is_new else {"Idempotent-Replayed": "true"}
    return Response(output, status=status if is_new else 200, headers=headers)


class ListView(ListAPIView):
    """A filtered, cursor-paged list whose rows become structs by `output`."""

    # DRF's OPTIONS asks for a serializer; /api/docs/ describes our addresses.
    metadata_class = None

    def output(self, row: Any) -> Any:
        raise NotImplementedError

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([self.output(row) for row in page or []])
