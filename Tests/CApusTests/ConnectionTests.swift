import CApus
import CApusCore
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ConnectionTests {
    typealias Event = CoreServer.Event

    private static func text(_ text: String) -> Event { .message(APUS_OPCODE_TEXT, Array(text.utf8)) }

    private static func end(_ code: UInt16 = 1000, _ error: apus_error = APUS_OK) -> Event {
        .end(code: code, reason: "", error: error)
    }

    /// Runs a script against a server, and gives what the server was told.
    @discardableResult
    private func onServer(
        _ behaviour: CoreServer.Behaviour = CoreServer.Behaviour(),
        _ change: @escaping @Sendable (inout apus_listener_config) -> Void = { _ in },
        _ script: @escaping @Sendable (CoreServer) throws -> Void
    ) async throws -> [Event] {
        try await onThread {
            let server = try CoreServer(change, behaviour)
            do {
                try script(server)
            } catch {
                server.stop(deadline: 1)
                throw error
            }
            server.stop()
            return server.events
        }
    }

    @Test func `a connection is told of its request, its messages, its end, and that it is freed`() async throws {
        let events = try await onServer { server in
            let client = try Client(port: server.port)
            try client.open("/room")
            try client.send(.text("one"), .binary([2]))
            _ = try (1...2).map { _ in try client.readFrame() }
            try client.send(.close(4000, "bye"))
            try client.readClose(answers: false)
            client.close()
        }
        #expect(
            events == [
                .request("/room", isUpgrade: true), Self.text("one"), .message(APUS_OPCODE_BINARY, [2]),
                .end(code: 4000, reason: "bye", error: APUS_OK), .free,
            ])
    }

    @Test func `a connection that says nothing is freed without a word to the application but that`() async throws {
        let events = try await onServer { server in
            try Client(port: server.port).reset()
            _ = server.events(2)
        }
        #expect(events == [Self.end(1006, APUS_ELOST), .free])
    }

    @Test func `without demand messages are kept, until they are asked for`() async throws {
        let connections = Box<Connection>()
        let behaviour = CoreServer.Behaviour.withoutDemand(connections)
        let events = try await onServer(behaviour) { server in
            let client = try Client.webSocket(port: server.port)
            try client.send(.text("one"), .text("two"), .text("three"), .text("four"), .text("five"))
            try client.send(Frame(Frame.Opcode.ping))
            guard try client.readFrame().opcode == Frame.Opcode.pong else { throw Client.Failure.ended }
            #expect(server.events.count == 1)
            guard let connection = connections.take() else { throw Client.Failure.ended }
            server.run {
                #expect(connection.next() == Array("one".utf8))
                connection.demand(APUS_DEMAND_ONE)
            }
            #expect(server.events(2).last == Self.text("two"))
            server.run { #expect(connection.next() == Array("three".utf8)) }
            #expect(server.events.count == 2)
            server.run { connection.demand(APUS_DEMAND_ALL) }
            try client.send(.text("six"), .close())
            try client.readClose(answers: false)
            client.close()
        }
        #expect(
            events.dropFirst(2) == [
                Self.text("four"), Self.text("five"), Self.text("six"), Self.end(1005), .free,
            ])
    }

    /// What a job does that a message was left to.
    enum Taking: CaseIterable { case itself, itAndTheNext, nothing }

    @Test(arguments: Taking.allCases)
    func `a message that is left to a job is taken by it, or else kept in its place`(taking: Taking) async throws {
        let connections = Box<Connection>()
        let taken = Box<[UInt8]?>()
        let behaviour = CoreServer.Behaviour(
            onRequest: { connection, _, _ in
                connection.accept()
                connections.put(connection)
            },
            onJob: { connection in
                if taking != .nothing { taken.put(connection.next()) }
                if taking == .itAndTheNext { taken.put(connection.next()) }
            })
        let texts = ["one", String(repeating: "two ", count: 1000), "three", "four"]
        try await onServer(behaviour) { server in
            let client = try Client.webSocket(port: server.port)
            guard let connection = connections.take() else { throw Client.Failure.ended }
            // One message waits already; the others come while a job is to take the next.
            try client.send(.text(texts[0]), Frame(Frame.Opcode.ping))
            guard try client.readFrame().opcode == Frame.Opcode.pong else { throw Client.Failure.ended }
            server.run { connection.demand(APUS_DEMAND_ONE) }
            server.run { while let message = connection.next() { taken.put(message) } }
            server.run { connection.demand(APUS_DEMAND_ONE) }
            try client.send(.text(texts[1]), .text(texts[2]), .text(texts[3]), Frame(Frame.Opcode.ping))
            guard try client.readFrame().opcode == Frame.Opcode.pong else { throw Client.Failure.ended }
            server.run { while let message = connection.next() { taken.put(message) } }
            #expect(taken.all.compactMap { $0 } == texts.map { Array($0.utf8) })
            client.close()
        }
    }

    @Test func `messages kept can be taken after the end, and go with the connection`() async throws {
        let connections = Box<Connection>()
        let behaviour = CoreServer.Behaviour(
            onRequest: { connection, _, _ in
                connection.accept()
                connections.put(connection)
            },
            onEnd: { connection in
                #expect(connection.next() == Array("one".utf8))
            })
        try await onServer(behaviour) { server in
            let client = try Client.webSocket(port: server.port)
            try client.send(
                .text("one"), .text("t", fin: false), .continuation("wo".utf8, fin: true), .text("three"), .close())
            try client.readClose(answers: false)
            guard let connection = connections.take() else { throw Client.Failure.ended }
            server.run { #expect(connection.next() == Array("two".utf8)) }
            client.close()
        }
    }

    /// Where a callback ends the connection under the core's feet.
    enum Place: CaseIterable { case request, upgrade, message, drain, pong, end }

    @Test(arguments: Place.allCases, [true, false])
    func `a callback may drop the connection, or close it`(at place: Place, drops: Bool) async throws {
        let end: @Sendable (Connection) -> Void = { connection in
            if drops {
                connection.abort()
            } else {
                connection.close()
            }
        }
        var behaviour = CoreServer.Behaviour()
        let usual = behaviour.onRequest
        switch place {
        case .request: behaviour.onRequest = { connection, _, _ in end(connection) }
        case .upgrade:
            behaviour.onRequest = { connection, target, isUpgrade in
                usual(connection, target, isUpgrade)
                end(connection)
            }
        case .message: behaviour.onMessage = { connection, _, _ in end(connection) }
        case .drain:
            behaviour.onMessage = { connection, _, _ in
                while connection.send(APUS_OPCODE_BINARY, [UInt8](repeating: 0, count: 50_000)) == 0 {}
                #expect(apus_connection_want_drain(connection.pointer))
            }
            behaviour.onDrain = end
        case .pong: behaviour.onPong = end
        case .end: behaviour.onEnd = end
        }
        let isAnswered = place != .request || drops
        let events = try await onServer(behaviour, { $0.endpoint.outbound_limit = 100_000 }) { server in
            let client = try Client(port: server.port, receiveBuffer: 4096)
            try client.sendHandshake()
            if isAnswered {
                try client.send(Frame(Frame.Opcode.pong), .text("one"), .text("two"))
                if place == .end { try client.send(.close()) }
                if drops || place == .end {
                    _ = try? client.readToEnd()
                } else {
                    _ = try client.readAnswer()
                    try client.readClose()
                }
            }
            client.close()
            while server.events.last != .free { sched_yield() }
        }
        #expect(events.count { $0 == .free } == 1)
        #expect(events.count { if case .end = $0 { true } else { false } } == 1)
    }

    @Test func `an answer is given once, and the right one`() async throws {
        let results = Mutex<[CInt]>([])
        var behaviour = CoreServer.Behaviour()
        behaviour.onRequest = { connection, _, isUpgrade in
            let tried =
                isUpgrade
                ? [
                    connection.accept(subprotocol: "not a token"), connection.accept(fields: [("A B", "x")]),
                    connection.accept(fields: [("A", "x\r\nB: y")]), connection.accept(subprotocol: "chat"),
                    connection.accept(), connection.respond(200),
                ]
                : [
                    connection.accept(), connection.respond(99), connection.respond(1000),
                    connection.respond(200, fields: [("A", "x\ny")]), connection.respond(200, fields: [("A", "b")]),
                    connection.respond(200),
                ]
            results.withLock { $0 += tried }
            connection.demand(APUS_DEMAND_ALL)
        }
        let invalid = APUS_EINVAL.rawValue
        let field = APUS_EFIELD.rawValue
        try await onServer(behaviour) { server in
            let client = try Client(port: server.port)
            try client.sendRequest()
            guard try client.readAnswer()["A"] == "b" else { throw Client.Failure.malformed("another answer") }
            guard try client.open()["Sec-WebSocket-Protocol"] == "chat" else { throw Client.Failure.ended }
            try client.send(.text("one"))
            guard try client.readText() == "one" else { throw Client.Failure.ended }
            try client.closeNormally()
        }
        #expect(
            results.withLock { $0 } == [
                invalid, field, field, field, 0, invalid, field, field, field, 0, invalid, invalid,
            ])
    }

    @Test func `an answer in pieces is begun and ended once, and content is demanded piece by piece`() async throws {
        let results = Mutex<[CInt]>([])
        let ends = Mutex<[apus_error]>([])
        var behaviour = CoreServer.Behaviour()
        behaviour.onRequest = { connection, _, _ in
            let tried = [
                connection.write([1]), connection.end(), connection.begin(99), connection.begin(199),
                connection.demandBody(), connection.demandBody(),
            ]
            results.withLock { $0 += tried }
        }
        behaviour.onBody = { connection in
            let tried = [
                connection.begin(200, 3), connection.begin(200), connection.respond(200), connection.write([65, 66]),
                connection.write([67, 68]), connection.write([67]), connection.write([]), connection.demandBody(),
            ]
            results.withLock { $0 += tried }
        }
        behaviour.onBodyEnd = { connection, error in
            ends.withLock { $0.append(error) }
            let tried = [connection.end(), connection.end(), connection.demandBody(), connection.write([1])]
            results.withLock { $0 += tried }
        }
        try await onServer(behaviour) { server in
            let client = try Client(port: server.port)
            try client.sendRequest("POST", "/", "Content-Length: 1")
            try client.send("x")
            guard try client.readAnswer().text == "ABC" else { throw Client.Failure.malformed("another answer") }
        }
        let invalid = APUS_EINVAL.rawValue
        let closed = APUS_ECLOSED.rawValue
        let field = APUS_EFIELD.rawValue
        #expect(
            results.withLock { $0 } == [
                closed, closed, field, field, 0, invalid,  // as the request came
                0, closed, invalid, closed,  // at the end of its content, told while the next piece was demanded
                0, invalid, invalid, 0, invalid, 0, 0, 0,
            ])
        #expect(ends.withLock { $0 } == [APUS_OK])
    }

    @Test func `what is not open cannot be written to`() async throws {
        let closed = APUS_ECLOSED.rawValue
        var behaviour = CoreServer.Behaviour()
        behaviour.onEnd = { connection in
            #expect(connection.send(APUS_OPCODE_TEXT, [65]) == closed)
            #expect(connection.ping() == closed)
            #expect(connection.close() == closed)
            #expect(!apus_connection_want_drain(connection.pointer))
            #expect(apus_connection_outbound(connection.pointer) >= 0)
        }
        behaviour.onRequest = { connection, _, _ in
            #expect(connection.send(APUS_OPCODE_TEXT, [65]) == closed)
            #expect(connection.ping() == closed)
            #expect(connection.close() == closed)
            connection.accept()
            #expect(connection.ping([UInt8](repeating: 0, count: 126)) == APUS_EINVAL.rawValue)
            #expect(connection.ping([UInt8](repeating: 0, count: 125)) == 0)
            #expect(connection.close(1005, "x") == APUS_EINVAL.rawValue)
            #expect(connection.close(1001) == 0)
            #expect(connection.close(1001) == closed)
            #expect(connection.send(APUS_OPCODE_TEXT, [65]) == closed)
        }
        try await onServer(behaviour) { server in
            let client = try Client.webSocket(port: server.port)
            guard try client.readFrame().payload.count == 125 else { throw Client.Failure.ended }
            try client.readClose()
        }
    }

    @Test func `every connection has its number, its peer, and a context of the application's`() async throws {
        let numbers = Mutex<[UInt64]>([])
        var behaviour = CoreServer.Behaviour()
        behaviour.onRequest = { connection, _, _ in
            var address = apus_address()
            #expect(apus_connection_peer(connection.pointer, &address) == 0)
            #expect(apus_connection_context(connection.pointer) == nil)
            apus_connection_set_context(connection.pointer, UnsafeMutableRawPointer(bitPattern: Int(address.port)))
            numbers.withLock { $0.append(apus_connection_id(connection.pointer)) }
            connection.respond(200, Array("\(address.port)".utf8))
        }
        behaviour.onEnd = { connection in
            #expect(apus_connection_context(connection.pointer) != nil)
            apus_connection_set_context(connection.pointer, nil)
        }
        try await onServer(behaviour) { server in
            for _ in 1...5 {
                let client = try Client(port: server.port)
                try client.sendRequest()
                guard try client.readAnswer().text == "\(try client.localPort)" else { throw Client.Failure.ended }
            }
        }
        let all = numbers.withLock { $0 }
        #expect(all.count == 5)
        #expect(Set(all).count == 5)
        #expect(!all.contains(0))
    }
}
