import Apus

@testable import ApusSocketIO

/// Calls closures when clients come back, before they are let in, and when they are lost.
struct HookedAdapter: Adapter {
    private let inner: InMemoryAdapter
    private let comesBack: @Sendable (Socket) -> Void
    private let isLost: @Sendable (RecoveredSession) -> Void
    private let wasLost: @Sendable (RecoveredSession) -> Void

    /// `isLost` is called before a client is remembered, `wasLost` afterwards.
    init(
        _ inner: InMemoryAdapter, comesBack: @escaping @Sendable (Socket) -> Void = { _ in },
        isLost: @escaping @Sendable (RecoveredSession) -> Void = { _ in },
        wasLost: @escaping @Sendable (RecoveredSession) -> Void = { _ in }
    ) {
        self.inner = inner
        self.comesBack = comesBack
        self.isLost = isLost
        self.wasLost = wasLost
    }

    func add(_ socket: Socket, _ recovery: Recovery?) {
        if recovery != nil { comesBack(socket) }
        inner.add(socket, recovery)
    }

    func attach(_ socket: Socket, _ webSocket: WebSocket) { inner.attach(socket, webSocket) }
    func remove(_ socket: Socket) -> Set<Name>? { inner.remove(socket) }
    func rooms(of id: String) -> Set<Name> { inner.rooms(of: id) }
    func join(_ rooms: Set<Name>, by socket: Socket) async { await inner.join(rooms, by: socket) }
    func leave(_ rooms: Set<Name>, by socket: Socket) async { await inner.leave(rooms, by: socket) }
    func join(_ rooms: Set<Name>, _ audience: Audience) async { await inner.join(rooms, audience) }
    func leave(_ rooms: Set<Name>, _ audience: Audience) async { await inner.leave(rooms, audience) }
    func broadcast(_ packet: BroadcastPacket, to audience: Audience) async throws {
        try await inner.broadcast(packet, to: audience)
    }
    func broadcast(
        _ packet: BroadcastPacket, to audience: Audience, timeout: Duration,
        acknowledgement body: @escaping @Sendable (Result<[JSON], any Error>) -> Void
    ) async throws -> Int {
        try await inner.broadcast(packet, to: audience, timeout: timeout, acknowledgement: body)
    }
    func fetch(_ audience: Audience) async -> [RemoteSocket] { await inner.fetch(audience) }
    func disconnect(_ audience: Audience, close: Bool) async { await inner.disconnect(audience, close: close) }
    func recorded(_ packet: BroadcastPacket, to audience: Audience) -> BroadcastPacket {
        inner.recorded(packet, to: audience)
    }
    func persist(_ session: RecoveredSession) {
        isLost(session)
        inner.persist(session)
        wasLost(session)
    }
    func forget(privateID: String) { inner.forget(privateID: privateID) }
    func forget(_ audience: Audience) { inner.forget(audience) }
    func restore(privateID: String, offset: String) -> Recovery? {
        inner.restore(privateID: privateID, offset: offset)
    }
}
