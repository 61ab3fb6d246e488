import CApus

extension WebSocket {
    /// What became of an attempt to send.
    enum Attempt {
        case sent
        /// The queue is full, and the policy lets the sender wait.
        case full
        /// The queue is full, and the policy dropped the message.
        case dropped
        case failed(WebSocketError)
    }

    /// On the loop: hands a message to the core.
    @inline(__always)
    func attempt(isText: Bool, _ bytes: UnsafeRawBufferPointer) -> Attempt {
        guard let handle else { return .failed(.closed) }
        let error = handle.send(isText ? APUS_OPCODE_TEXT : APUS_OPCODE_BINARY, bytes)
        if _fastPath(error == 0) { return .sent }
        return refusal(error)
    }

    /// On the loop: hands a part of a message to the core.
    func attemptPart(isText: Bool, _ bytes: UnsafeRawBufferPointer, isLast: Bool) -> Attempt {
        guard let handle else { return .failed(.closed) }
        let error = handle.sendPart(isText ? APUS_OPCODE_TEXT : APUS_OPCODE_BINARY, bytes, isLast: isLast)
        return error == 0 ? .sent : refusal(error)
    }

    /// On the loop: hands messages to the core that nothing may come between.
    func attemptAll(_ messages: [Message]) -> Attempt {
        guard let handle else { return .failed(.closed) }
        // One block of memory for all, because pointers into many strings live no longer than a call.
        var block: [UInt8] = []
        for message in messages {
            switch message {
            case .text(let text): block += text.utf8
            case .binary(let bytes): block += bytes
            }
        }
        let error = block.withUnsafeBufferPointer { block in
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
            return handle.sendAll(outgoing)
        }
        return error == 0 ? .sent : refusal(error)
    }

    private func refusal(_ error: CInt) -> Attempt {
        switch apus_error(rawValue: error) {
        case APUS_EFULL: .full
        case APUS_EDROPPED: .dropped
        case APUS_ECLOSED: .failed(.closed)
        default: .failed(WebSocketError(core: error))
        }
    }
}
