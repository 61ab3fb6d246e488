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

    /// On the loop: hands messages to the core that nothing may come between.
    func attemptAll(_ messages: [Message]) -> Attempt {
        guard let handle else { return .closed }
        return withOutgoing(messages) { Attempt(handle.sendAll($0)) }
    }
}

/// Calls `body` with messages as C sees them.
func withOutgoing<Result>(_ messages: [Message], _ body: ([apus_outgoing]) -> Result) -> Result {
    // One block of memory for all, because pointers into many strings live no longer than a call.
    var block: [UInt8] = []
    for message in messages {
        switch message {
        case .text(let text): block += text.utf8
        case .binary(let bytes): block += bytes
        }
    }
    return block.withUnsafeBufferPointer { block in
        var start = 0
        let outgoing = messages.map { message in
            let (opcode, count) =
                switch message {
                case .text(let text): (APUS_OPCODE_TEXT, text.utf8.count)
                case .binary(let bytes): (APUS_OPCODE_BINARY, bytes.count)
                }
            defer { start += count }
            return apus_outgoing(data: block.baseAddress.map { $0 + start }, len: count, opcode: opcode)
        }
        return body(outgoing)
    }
}
