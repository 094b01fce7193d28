class UdpMessageHeader:
    def __init__(self) -> None:
        self.MessageMask = self.MessageSeq = self.MessageType = self.PayloadSize = 0


class InviteMessageReq:
    def __init__(self) -> None:
        self.header = UdpMessageHeader()
        self.InviterAgentId = self.InviteCode = self.SessionId = self.MessageServer = ""
        self.InviteCodeExpire = 0
