class SDKError(Exception):
    def __init__(self, message: str, trace_id: str = "", code: int = 1000) -> None:
        super().__init__(message)
        self.trace_id, self.code = trace_id, code
