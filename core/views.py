from typing import Any

from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response


class ListView(ListAPIView):
    """A filtered, cursor-paged list whose rows become structs by `output`."""

    # DRF's OPTIONS asks for a serializer; /api/docs/ describes our addresses.
    metadata_class = None

    def output(self, row: Any) -> Any:
        raise NotImplementedError

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([self.output(row) for row in page or []])
