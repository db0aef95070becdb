"""What a branch keeps at KRA: customers, users, insurance."""

from kra.requests.base import Message


class BranchCustomerRequest(Message, frozen=True, kw_only=True):
    custNo: str  # at most 9 characters
    custTin: str
    custNm: str
    adrs: str | None = None
    telNo: str | None = None
    email: str | None = None
    faxNo: str | None = None
    useYn: str
    remark: str | None = None
    regrId: str
    regrNm: str
    modrId: str
    modrNm: str


class BranchUserRequest(Message, frozen=True, kw_only=True):
    userId: str
    userNm: str
    pwd: str  # required, never used: send a random value that opens nothing
    adrs: str | None = None
    cntc: str | None = None
    authCd: str | None = None
    remark: str | None = None
    useYn: str
    regrId: str
    regrNm: str
    modrId: str
    modrNm: str

    def __repr__(self) -> str:
        return f"BranchUserRequest(userId={self.userId!r})"


class BranchInsuranceRequest(Message, frozen=True, kw_only=True):
    isrccCd: str
    isrccNm: str
    isrcRt: int
    useYn: str
    regrId: str
    regrNm: str
    modrId: str
    modrNm: str
