import HTTPTypes

/// A WebSocket connection: messages both ways, over RFC 6455.
///
/// It is an `AsyncSequence` of the peer's messages:
///
/// ```swift
/// for try await message in socket {
///     try await socket.send(message)
/// }
/// ```
///
/// Messages are pulled: what nobody reads waits, and past ``WebSocketServer/Configuration/maxInboundBytes`` the peer is
/// held back by TCP. Pings are answered in any case, and so is a Close: by a server once its handler has answered the
/// messages before it (``WebSocketServer/Configuration/answersBeforeClosing``). Every method may be called from any
/// task; on the connection's own ``eventLoop``, where its handler runs, it takes effect at once, and from elsewhere in
/// the order of the calls.
public final class WebSocket: Sendable {
    /// The loop that the connection lives on, an executor for tasks that work closely with it.
    public let eventLoop: EventLoop
    /// A number that no other connection of the process ever has.
    public let id: UInt64
    /// The request of the opening handshake, at a client's end the one that was sent. It is parsed at each use, so keep
    /// what is needed often.
    public var request: HTTPRequest { head.request }
    /// The server's response to the opening handshake, at a client's end; `nil` at a server's. Parsed at each use.
    public var response: HTTPResponse? { head.response }
    /// The subprotocol agreed on (RFC 6455 §1.9), if any.
    public let subprotocol: String?
    /// The client's address: the peer's, or the one that ``WebSocketServer/Configuration/trustedProxies`` tell.
    public let remoteAddress: SocketAddress

    private let head: RequestHead
    /// The loop's own pointer, two loads nearer than by way of ``eventLoop``.
    nonisolated(unsafe) let loopPointer: OpaquePointer

    /// What only the loop's thread touches.
    @exclusivity(unchecked) nonisolated(unsafe) var handle: ConnectionHandle?
    @exclusivity(unchecked) nonisolated(unsafe) var inbound = Inbound()
    @exclusivity(unchecked) nonisolated(unsafe) var outbound = Outbound()
    @exclusivity(unchecked) nonisolated(unsafe) var pings = Pings()
    @exclusivity(unchecked) nonisolated(unsafe) var ending: Ending?
    /// The handler's own task, which the end of the connection ends; its waits need no cancellation handler.
    @exclusivity(unchecked) nonisolated(unsafe) var handlerJob: UnsafeMutableRawPointer?
    /// The last words, if there are any.
    @exclusivity(unchecked) nonisolated(unsafe) var farewell: Farewell?
    /// For tasks on other threads.
    let status = SharedStatus()

    init(_ handle: ConnectionHandle, loop: EventLoop, head: RequestHead, subprotocol: String?) {
        self.handle = handle
        eventLoop = loop
        loopPointer = loop.handle.pointer
        id = handle.id
        remoteAddress = handle.peer
        self.head = head
        self.subprotocol = subprotocol
        MemoryGauge.add(Self.ownByteCount + head.byteCount)
    }

    deinit { MemoryGauge.subtract(Self.ownByteCount + head.byteCount + inbound.unreadByteCount) }

    /// For the gauge, as measured: this object, and what its task needs for the handler.
    private static let ownByteCount = 1200

    /// The code of the Close that the peer sent: ``CloseCode/noStatus`` where it gave none,
    /// ``CloseCode/abnormalClosure`` where the connection ended without one, `nil` while it is open.
    public var closeCode: CloseCode? { status.ending?.code }

    /// The reason that the peer gave with its close code; empty where it gave none.
    public var closeReason: String { status.ending?.reason ?? "" }
}

extension WebSocket: ConnectionOwner {
    func ended(_ ending: Ending) {
        self.ending = ending
        status.set(ending)
        endReceiving()
        endSending()
        endPings()
        endFarewell()
    }

    func freed() {
        keepUnreadMessages()
        handle = nil
    }
}
