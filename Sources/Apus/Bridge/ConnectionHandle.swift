import CApus

/// A connection of the C core, as its loop's thread sees it.
///
/// Not an owner: the core frees a connection itself, and says so in `on_free`, after which nobody here may hold one.
/// Every method is for the loop's thread only.
struct ConnectionHandle {
    let pointer: OpaquePointer

    /// `apus_connection_id`
    var id: UInt64 { apus_connection_id(pointer) }

    /// `apus_connection_peer`
    var peer: SocketAddress {
        var address = apus_address()
        return apus_connection_peer(pointer, &address) == 0 ? SocketAddress(address) : .unknown
    }

    /// `apus_connection_set_context`, which takes a reference to `owner` until ``releaseOwner()``.
    func setOwner(_ owner: AnyObject) {
        apus_connection_set_context(pointer, Unmanaged.passRetained(owner).toOpaque())
    }

    /// Drops the reference that ``setOwner(_:)`` took.
    func releaseOwner() {
        guard let context = apus_connection_context(pointer) else { return }
        apus_connection_set_context(pointer, nil)
        Unmanaged<AnyObject>.fromOpaque(context).release()
    }

    /// Calls `body` with the next message, if there is one. `apus_connection_next`
    @inline(__always)
    func next<T>(_ body: (borrowing BorrowedMessage) -> T) -> T? {
        var incoming = apus_incoming()
        guard apus_connection_next(pointer, &incoming) else { return nil }
        return body(incoming.borrowed)
    }

    /// `apus_connection_leave`
    func leave(_ message: IncomingHandle) { apus_connection_leave(pointer, message.pointer) }

    /// `apus_connection_give_parts`
    func giveParts() { apus_connection_give_parts(pointer) }

    /// A copy of the next part, if there is one. `apus_connection_next`
    func nextPart() -> MessagePart? {
        var incoming = apus_incoming()
        guard apus_connection_next(pointer, &incoming) else { return nil }
        return MessagePart(incoming)
    }

    /// `apus_connection_send_part`
    func sendPart(_ opcode: apus_opcode, _ bytes: UnsafeRawBufferPointer, isLast: Bool) -> CInt {
        apus_connection_send_part(
            pointer, opcode, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, isLast)
    }

    /// `apus_connection_is_sending_parts`
    var isSendingParts: Bool { apus_connection_is_sending_parts(pointer) }

    /// `apus_connection_demand`
    func demand(_ demand: apus_demand) { apus_connection_demand(pointer, demand) }

    /// `apus_connection_send`
    @inline(__always)
    func send(_ opcode: apus_opcode, _ bytes: UnsafeRawBufferPointer) -> CInt {
        apus_connection_send(
            pointer, opcode, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
    }

    /// `apus_connection_send_all`
    func sendAll(_ messages: [apus_outgoing]) -> CInt { apus_connection_send_all(pointer, messages, messages.count) }

    /// `apus_connection_want_drain`
    func wantDrain() -> Bool { apus_connection_want_drain(pointer) }

    /// `apus_connection_outbound`
    var outboundBytes: Int { apus_connection_outbound(pointer) }

    /// `apus_connection_ping`
    func ping(_ payload: [UInt8]) -> CInt { apus_connection_ping(pointer, payload, payload.count) }

    /// Starts the closing handshake, unless it was. `apus_connection_close`
    func close(_ code: CloseCode, reason: String) {
        // What can go wrong is told as the connection's end.
        _ = reason.utf8.span.withUnsafeBufferPointer { bytes in
            apus_connection_close(pointer, code.rawValue, bytes.baseAddress, bytes.count)
        }
    }

    /// Starts the closing handshake as the endpoint's stop does. `apus_connection_go_away`
    func goAway() { _ = apus_connection_go_away(pointer) }

    /// `apus_connection_abort`
    func abort() { apus_connection_abort(pointer) }
}

extension CloseCode {
    /// Whether a Close may carry it, with that reason. `apus_close_encode`
    func isSendable(with reason: String) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Int(APUS_CONTROL_PAYLOAD_SIZE)) { payload in
            guard let start = payload.baseAddress else { return false }
            return reason.utf8.span.withUnsafeBufferPointer { bytes in
                apus_close_encode(start, rawValue, bytes.baseAddress, bytes.count) >= 0
            }
        }
    }
}

extension WebSocket {
    /// Whether the caller is on the connection's loop. `apus_loop_is_current`
    @inline(__always)
    var isOnLoop: Bool { apus_loop_is_current(loopPointer) }
}

/// A message, or a part of one, in the callback that brings it.
struct IncomingHandle {
    let pointer: UnsafePointer<apus_incoming>

    /// The message where it stands.
    var borrowed: BorrowedMessage {
        @_lifetime(borrow self)
        @inline(__always)
        get { unsafe _overrideLifetime(pointer.pointee.borrowed, borrowing: self) }
    }

    /// A copy of the part.
    var part: MessagePart { MessagePart(pointer.pointee) }
}

extension apus_incoming {
    /// The message where it stands.
    var borrowed: BorrowedMessage {
        @_lifetime(borrow self)
        get {
            let message = BorrowedMessage(
                isText: opcode == APUS_OPCODE_TEXT, bytes: UnsafeRawBufferPointer(start: data, count: len))
            return unsafe _overrideLifetime(message, borrowing: self)
        }
    }
}

extension MessagePart {
    /// Copies a part, or a message that came whole.
    init(_ incoming: apus_incoming) {
        self.init(
            isText: incoming.opcode == APUS_OPCODE_TEXT,
            bytes: [UInt8](UnsafeRawBufferPointer(start: incoming.data, count: incoming.len)),
            isLast: !incoming.is_part)
    }
}

extension SocketAddress {
    /// Copies an address of the core.
    init(_ address: apus_address) {
        let host = withUnsafeBytes(of: address.host) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        self.init(host: host, port: Int(address.port), isUnix: address.is_unix)
    }
}
