import Apus
import HTTPTypes
import Synchronization

/// An Engine.IO endpoint, protocol 4: its sessions, and what requests do with them.
package final class EngineServer: Sendable {
    package let configuration: EngineConfiguration
    let timers: Timers
    private let server: WebSocketServer
    private let state = Mutex(State())
    package let refusals = Refusals()
    private let makeApplication: @Sendable (EngineSession) -> any EngineApplication

    private struct State: Sendable {
        var sessions: [Name: EngineSession] = [:]
        /// The identities of those that the application has not accepted yet.
        var pending: Set<Name> = []
        /// Why all sessions have ended, and those that come late do.
        var end: EngineEnd?
    }

    /// Makes an endpoint on a server, which is to give it its requests.
    package init(
        on server: WebSocketServer, configuration: EngineConfiguration,
        _ makeApplication: @escaping @Sendable (EngineSession) -> any EngineApplication
    ) {
        self.server = server
        self.configuration = configuration
        self.makeApplication = makeApplication
        timers = Timers(loop: server.loops[0])
    }

    /// Ends all sessions, those to come among them, and all timers. Who polls is still told, if they ask.
    package func close(_ reason: EngineEnd) {
        state.withLock { $0.end = $0.end ?? reason }
        closeSessions(reason)
        timers.close()
    }

    /// Forgets closed sessions, for which no poll will come any more.
    func forgetAll() {
        state.withLock { state in
            state.sessions = [:]
            state.pending = []
        }
    }

    /// Ends all sessions.
    package func closeSessions(_ reason: EngineEnd) {
        for session in state.withLock({ Array($0.sessions.values) }) { session.close(reason) }
    }

    /// The applications of all sessions.
    var applications: [any EngineApplication] {
        state.withLock { Array($0.sessions.values) }.compactMap(\.application)
    }

    /// How many sessions there are.
    package var sessionCount: Int { state.withLock { $0.sessions.count } }

    /// How many of them the application has not accepted yet.
    package var pendingCount: Int { state.withLock { $0.pending.count } }

    func accepted(_ session: EngineSession) { state.withLock { _ = $0.pending.remove(Name(session.id)) } }

    func forget(_ session: EngineSession) {
        let id = Name(session.id)
        state.withLock { state in
            state.sessions[id] = nil
            state.pending.remove(id)
        }
    }

    private func session(_ id: String) -> EngineSession? {
        guard id.utf8.count == Self.idLength else { return nil }
        return state.withLock { $0.sessions[Name(id)] }
    }

    /// Whether a request is meant for this endpoint.
    package func owns(_ request: HTTPRequest) -> Bool {
        guard let target = request.path else { return false }
        let path = target.utf8.prefix { $0 != UInt8(ascii: "?") }
        let own = configuration.path.utf8
        return path.elementsEqual(own) || path.elementsEqual(own.dropLast())
    }
}

/// HTTP.
extension EngineServer {
    /// The response to a request for this endpoint, which may be long in coming.
    package func response(to request: Request) async throws -> Response {
        if let response = configuration.cors?.engineResponse(toPreflight: request.head) { return response }
        let response = try await answer(request)
        return configuration.cors?.adding(to: response, for: request.head) ?? response
    }

    private func answer(_ request: Request) async throws -> Response {
        let query = Query(of: request.head)
        do throws(EngineRefusal) {
            try check(query, isUpgrade: false)
            if let session = try named(in: query) { return try await answer(request, session) }
        } catch {
            return error.response()
        }
        return await open(Handshake(request.head, remoteAddress: request.remoteAddress))
    }

    /// What every request has to bring.
    private func check(_ query: Query, isUpgrade: Bool) throws(EngineRefusal) {
        guard let transport = Transport(in: query), configuration.transports.contains(transport)
        else { throw .transportUnknown }
        // A request that asks for no upgrade has the wrong transport, rather than none.
        guard (transport == .webSocket) == isUpgrade || query["sid"] != nil else { throw .badRequest }
        guard query.has("EIO", "4") else { throw .unsupportedProtocol }
    }

    /// The session that a request is for; `nil` where it asks for a new one.
    private func named(in query: Query) throws(EngineRefusal) -> EngineSession? {
        guard let id = query["sid"] else { return nil }
        guard let session = session(id) else { throw .sessionUnknown }
        return session
    }

    private func answer(_ request: Request, _ session: EngineSession) async throws(EngineRefusal) -> Response {
        guard session.transport == .polling, Transport(in: Query(of: request.head)) == .polling
        else { throw .badRequest }
        switch request.method {
        case .get: return try await poll(request, session)
        case .post: return try await post(request, session)
        default: throw .badRequest
        }
    }

    private func poll(_ request: Request, _ session: EngineSession) async throws(EngineRefusal) -> Response {
        switch await session.poll(request) {
        case .payload(let messages): return payload(EnginePayload.encode(messages), for: request.head)
        case .refused: throw .badRequest
        }
    }

    private func payload(_ bytes: [UInt8], for request: HTTPRequest, fields: HTTPFields = [:]) -> Response {
        var fields = fields
        fields[.contentType] = "text/plain; charset=UTF-8"
        fields[.cacheControl] = "no-store"
        guard let threshold = configuration.compressionThreshold, bytes.count >= threshold,
            Gzip.isAccepted(by: request)
        else { return Response(status: .ok, headerFields: fields, body: bytes) }
        fields[.contentEncoding] = "gzip"
        fields[.vary] = "Accept-Encoding"
        return Response(status: .ok, headerFields: fields, body: Gzip.compress(bytes))
    }

    private func post(_ request: Request, _ session: EngineSession) async throws(EngineRefusal) -> Response {
        // Bytes travel as Base64 since protocol 4.
        guard request.headerFields[.contentType]?.hasSameBytes(as: "application/octet-stream") != true else {
            session.fail()
            throw .badRequest
        }
        guard session.beginPost() else { throw .badRequest }
        let content: [UInt8]
        do {
            content = try await request.body.collect(upTo: configuration.maxPayloadBytes)
        } catch {
            session.abandonPost()
            let isTooLarge = error.code == .contentTooLarge
            return .text("\(error.message)\n", status: isTooLarge ? .contentTooLarge : .badRequest)
        }
        guard session.endPost(EnginePayload.decode(content)) else { throw .badRequest }
        await session.waitForRoom()
        return Response(
            status: .ok, headerFields: [.contentType: "text/html", .cacheControl: "no-store"], body: Array("ok".utf8))
    }

    /// Opens a session by polling.
    private func open(_ handshake: Handshake) async -> Response {
        guard handshake.head.method == .get else { return EngineRefusal.badHandshakeMethod.response() }
        if let refusal = await refusal(of: handshake) { return refusal }
        guard let session = makeSession(handshake, id: Self.makeID(), webSocket: nil) else {
            return EngineRefusal.tooManySessions.response()
        }
        begin(session)
        var fields = HTTPFields()
        fields[.setCookie] = configuration.cookie?.field(session.id)
        let packet = openPacket(session.id, upgrades: upgrades)
        return payload(Array(packet.utf8), for: handshake.head, fields: fields)
    }

    /// What there is to say against a new client, by the limits and by the application.
    private func refusal(of handshake: Handshake) async -> Response? {
        guard state.withLock({ hasRoom($0) }) else {
            refusals.count(\.sessions)
            return EngineRefusal.tooManySessions.response()
        }
        guard let allowRequest = configuration.allowRequest else { return nil }
        do {
            try await allowRequest(handshake)
            return nil
        } catch let error as SocketIOError {
            return EngineRefusal.forbidden.response(error.message)
        } catch {
            return EngineRefusal.forbidden.response()
        }
    }
}

extension CORS {
    /// The answer to a preflight; `nil` where the request is none. Where no header fields are named, those that the
    /// request asks for are allowed, as upstream.
    fileprivate func engineResponse(toPreflight request: HTTPRequest) -> Response? {
        guard var response = preflightResponse(to: request), response.status == .noContent else {
            return preflightResponse(to: request)
        }
        if headers.isEmpty {
            response.headerFields[.accessControlAllowHeaders] = request.headerFields[.accessControlRequestHeaders]
        }
        return response
    }
}

/// WebSocket.
extension EngineServer {
    /// The response to an opening handshake at this endpoint.
    package func upgrade(_ request: Request) async -> UpgradeResponse {
        let query = Query(of: request.head)
        do throws(EngineRefusal) {
            try check(query, isUpgrade: true)
            guard Transport(in: query) == .webSocket else { throw .badRequest }
            if let session = try named(in: query) {
                guard configuration.allowsUpgrades else { throw .badRequest }
                return .accept(subprotocol: Self.subprotocol(of: request)) { await session.run($0, isProbe: true) }
            }
        } catch {
            return .reject(error.response())
        }
        let handshake = Handshake(request.head, remoteAddress: request.remoteAddress)
        if let refusal = await refusal(of: handshake) { return .reject(refusal) }
        let id = Self.makeID()
        var fields = HTTPFields()
        fields[.setCookie] = configuration.cookie?.field(id)
        return .accept(subprotocol: Self.subprotocol(of: request), headerFields: fields) {
            await self.run($0, handshake, id: id)
        }
    }

    /// The first that the client offers, as upstream: what its option `protocols` names is for proxies and balancers.
    private static func subprotocol(of request: Request) -> String? { request.head.offeredSubprotocols.first }

    private func run(_ webSocket: WebSocket, _ handshake: Handshake, id: String) async {
        // Others may have taken the last places while it opened.
        guard let session = makeSession(handshake, id: id, webSocket: webSocket) else {
            return webSocket.beginClosing(.tryAgainLater, reason: "Too many sessions")
        }
        webSocket.trySend(openPacket(id, upgrades: []))
        begin(session)
        await session.run(webSocket, isProbe: false)
    }
}

/// Sessions.
extension EngineServer {
    /// A session, which is yet to begin; `nil` where there are too many.
    private func makeSession(_ handshake: Handshake, id: String, webSocket: WebSocket?) -> EngineSession? {
        let loop = EventLoop.current ?? server.loops[0]
        let session = EngineSession(engine: self, handshake: handshake, id: id, loop: loop, webSocket: webSocket)
        let isRegistered = state.withLock { state in
            guard hasRoom(state) else { return false }
            state.sessions[Name(id)] = session
            state.pending.insert(Name(id))
            return true
        }
        if !isRegistered { refusals.count(\.sessions) }
        return isRegistered ? session : nil
    }

    private func begin(_ session: EngineSession) {
        session.begin(makeApplication(session))
        if let end = state.withLock({ $0.end }) { session.close(end) }
    }

    private func hasRoom(_ state: borrowing State) -> Bool {
        state.sessions.count < configuration.maxSessions && state.pending.count < configuration.maxPendingSessions
    }

    private var upgrades: [JSON] {
        configuration.allowsUpgrades && configuration.transports.contains(.webSocket) ? ["websocket"] : []
    }

    private func openPacket(_ id: String, upgrades: [JSON]) -> String {
        let handshake: JSON = [
            "sid": .string(id), "upgrades": .array(upgrades),
            "pingInterval": .number(JSON.Number(configuration.pingInterval.milliseconds)),
            "pingTimeout": .number(JSON.Number(configuration.pingTimeout.milliseconds)),
            "maxPayload": .number(JSON.Number(configuration.maxPayloadBytes)),
        ]
        return "0\(handshake)"
    }

    /// How long every identity is.
    private static let idLength = 20

    /// Fifteen random bytes in twenty characters that need no escape in a URL.
    package static func makeID() -> String {
        var random = SystemRandomNumberGenerator()
        var text: [UInt8] = []
        Base64.encode((0..<15).map { _ in UInt8.random(in: .min ... .max, using: &random) }, into: &text)
        for index in text.indices {
            if text[index] == UInt8(ascii: "+") { text[index] = UInt8(ascii: "-") }
            if text[index] == UInt8(ascii: "/") { text[index] = UInt8(ascii: "_") }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
