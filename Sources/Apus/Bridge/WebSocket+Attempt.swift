import CApus

extension WebSocket {
    /// What became of an attempt to send: the core's own word for it, which costs nothing to hand on.
    struct Attempt {
        private let status: CInt

        init(_ status: CInt) { self.status = status }

        /// The connection is closed.
        static var closed: Self { Self(APUS_ECLOSED.rawValue) }

        var isSent: Bool { _fastPath(status == 0) }

        /// What it means.
        enum Outcome {
            case sent
            /// The queue is full, and the policy lets the sender wait.
            case full
            /// The queue is full, and the policy dropped the message.
            case dropped
            case failed(WebSocketError)
        }

        var outcome: Outcome {
            switch apus_error(rawValue: status) {
            case APUS_OK: .sent
            case APUS_EFULL: .full
            case APUS_EDROPPED: .dropped
            case APUS_ECLOSED: .failed(.closed)
            default: .failed(WebSocketError(core: status))
            }
        }
    }

    /// On the loop: hands a message to the core.
    @inline(__always)
    func attempt(isText: Bool, _ bytes: UnsafeRawBufferPointer) -> Attempt {
        guard let handle else { return .closed }
        return Attempt(handle.send(isText ? APUS_OPCODE_TEXT : APUS_OPCODE_BINARY, bytes))
    }

    /// On the loop: hands a part of a message to the core.
    func attemptPart(isText: Bool, _ bytes: UnsafeRawBufferPointer, isLast: Bool) -> Attempt {
        guard let handle else { return .closed }
        return Attempt(handle.sendPart(isText ? APUS_OPCODE_TEXT : APUS_OPCODE_BINARY, bytes, isLast: isLast))
    }
}
