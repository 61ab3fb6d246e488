import CApus
import HTTPTypes

/// What the core calls on a loop's thread, forwarded to the object that owns the connection: an ``HTTPConnection``
/// until the opening handshake is done, a ``WebSocket`` afterwards.
enum Callbacks {
    static var table: apus_connection_callbacks {
        apus_connection_callbacks(
            on_request: onRequest,
            on_body: onBody,
            on_body_end: onBodyEnd,
            on_peer_end: onPeerEnd,
            on_pull: onPull,
            on_refused: onRefused,
            on_message: onMessage,
            on_drain: onDrain,
            on_pong: onPong,
            on_stop: onStop,
            on_end: onEnd,
            on_free: onFree)
    }

    private static let onRequest: @convention(c) (OpaquePointer, UnsafePointer<apus_head>, Bool) -> Void = {
        pointer, head, isUpgrade in
        let handle = ConnectionHandle(pointer: pointer)
        let request = RequestHead(head, forwarded: apus_connection_forwarded(pointer), isSecure: handle.isSecure)
        if let context = apus_connection_context(pointer) {
            // Only an HTTPConnection gets requests.
            let connection = Unmanaged<HTTPConnection>.fromOpaque(context).takeUnretainedValue()
            connection.requestCame(request, isUpgrade: isUpgrade)
            return
        }
        guard let context = apus_connection_endpoint_context(pointer) else { return }
        let shard = Unmanaged<ServerShard>.fromOpaque(context).takeUnretainedValue()
        let connection = HTTPConnection(handle, of: shard)
        handle.setOwner(connection)
        connection.requestCame(request, isUpgrade: isUpgrade)
        shard.connectionCame(connection)
    }

    private static let onBody: @convention(c) (OpaquePointer, UnsafePointer<UInt8>, Int) -> Void = {
        pointer, data, len in
        exchange(of: pointer)?.contentCame(UnsafeRawBufferPointer(start: data, count: len))
    }

    private static let onBodyEnd: @convention(c) (OpaquePointer, CInt) -> Void = { pointer, error in
        exchange(of: pointer)?.contentEnded(ContentFailure(core: error))
    }

    private static let onPeerEnd: @convention(c) (OpaquePointer) -> Void = { pointer in
        guard let context = apus_connection_context(pointer) else { return }
        // Told while a request is there, and so to an HTTPConnection.
        Unmanaged<HTTPConnection>.fromOpaque(context).takeUnretainedValue().peerEnded()
    }

    private static let onPull: @convention(c) (OpaquePointer) -> Void = { pointer in
        guard let context = apus_connection_context(pointer) else { return }
        // Only an HTTPConnection answers requests.
        Unmanaged<HTTPConnection>.fromOpaque(context).takeUnretainedValue().pulled()
    }

    private static let onRefused: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<apus_refusal>) -> Void = {
        context, refusal in
        guard let context else { return }
        // Only listeners refuse, and their context is a shard.
        Unmanaged<ServerShard>.fromOpaque(context).takeUnretainedValue().refused(Refusal(refusal.pointee))
    }

    private static let onMessage: @convention(c) (OpaquePointer, UnsafePointer<apus_incoming>) -> Void = {
        pointer, incoming in
        withSocket(pointer) { $0.messageCame(IncomingHandle(pointer: incoming)) }
    }

    private static let onDrain: @convention(c) (OpaquePointer) -> Void = { pointer in
        withOwner(pointer) { $0.outboundDrained() }
    }

    private static let onPong: @convention(c) (OpaquePointer, UnsafePointer<UInt8>, Int) -> Void = {
        pointer, data, len in
        withSocket(pointer) { $0.pongCame(UnsafeRawBufferPointer(start: data, count: len)) }
    }

    private static let onStop: @convention(c) (OpaquePointer) -> Void = { pointer in
        withSocket(pointer) { $0.goAway() }
    }

    private static let onEnd: @convention(c) (OpaquePointer, UnsafePointer<apus_ending>) -> Void = { pointer, ending in
        withOwner(pointer) { $0.ended(Ending(ending.pointee)) }
    }

    private static let onFree: @convention(c) (OpaquePointer) -> Void = { pointer in
        withOwner(pointer) { $0.freed() }
        ConnectionHandle(pointer: pointer).releaseOwner()
    }

    /// Content comes only while the owner is an HTTPConnection.
    private static func exchange(of pointer: OpaquePointer) -> HTTPExchange? {
        guard let context = apus_connection_context(pointer) else { return nil }
        return Unmanaged<HTTPConnection>.fromOpaque(context).takeUnretainedValue().exchange
    }

    /// Messages and pongs come only once the owner is a WebSocket.
    @inline(__always)
    private static func withSocket(_ pointer: OpaquePointer, _ body: (WebSocket) -> Void) {
        guard let context = apus_connection_context(pointer) else { return }
        Unmanaged<WebSocket>.fromOpaque(context)._withUnsafeGuaranteedRef(body)
    }

    /// A connection without an owner has not sent a request yet, and interests nobody.
    private static func withOwner(_ pointer: OpaquePointer, _ body: (any ConnectionOwner) -> Void) {
        guard let context = apus_connection_context(pointer) else { return }
        let object = Unmanaged<AnyObject>.fromOpaque(context).takeUnretainedValue()
        // Casts to classes: one to the protocol would search for its conformances.
        if let socket = object as? WebSocket {
            body(socket)
        } else if let connection = object as? HTTPConnection {
            body(connection)
        }
    }
}

/// The owner of a connection, which is told its events: for HTTP, or for a WebSocket.
protocol ConnectionOwner: AnyObject {
    /// There is room for more to send.
    func outboundDrained()
    /// No message will come any more; those that wait still can be taken.
    func ended(_ ending: Ending)
    /// The connection is gone when this returns.
    func freed()
}

/// How a connection ended, as the core tells it.
struct Ending: Sendable {
    /// From the peer's Close; ``CloseCode/noStatus`` or ``CloseCode/abnormalClosure`` where it sent none.
    let code: CloseCode
    let reason: String
    /// What went wrong, unless the closing handshake was done.
    let error: WebSocketError?

    init(_ ending: apus_ending) {
        code = CloseCode(rawValue: ending.code)
        reason =
            ending.reason_len == 0
            ? "" : String(validatedUTF8: UnsafeRawBufferPointer(start: ending.reason, count: ending.reason_len))
        error = ending.error == 0 ? nil : WebSocketError(core: ending.error)
    }
}

extension WebSocketError {
    /// The core's words for one of its errors.
    init(core error: CInt) {
        let code: Code =
            switch apus_error(rawValue: error) {
            case APUS_ECLOSED: .connectionClosed
            case APUS_ELOST, APUS_ETRUNCATED: .connectionLost
            case APUS_ETIMEDOUT, APUS_ESILENT, APUS_EUPGRADETIME: .timedOut
            case APUS_ESLOW: .slowConsumer
            case APUS_ENOMEM, APUS_EBUDGET, APUS_EFULL: .outOfResources
            case APUS_EINVAL, APUS_EFIELD: .invalidArgument
            case APUS_ETLS, APUS_ETLSPLAIN, APUS_ENOTTLS, APUS_EALERT: .tlsFailure
            case APUS_EUNTRUSTED, APUS_EWRONGHOST, APUS_EEXPIRED, APUS_ECERTIFICATE, APUS_ENOCERTIFICATE:
                .untrustedCertificate
            default: .protocolViolation
            }
        self.init(code, String(cString: apus_error_message(error)))
    }
}
