import Apus
import Synchronization
import TestSupport
import Testing

@testable import ApusSocketIO

/// Acknowledgements and heartbeats overtake events that wait; what cannot wait any longer ends.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct OvertakingTests {
    private static let large = String(repeating: "y", count: 60_000)

    /// Six large events whose handlers ask back, and how often they have got an answer.
    private static func asking(_ io: SocketIOServer) -> Counter {
        let answered = Counter()
        io.onConnection { socket in
            socket.on("x") { (_: String) in
                let answer: Int = try await socket.emitWithAck("question")
                if answer == 7 { answered.increment() }
            }
        }
        return answered
    }

    /// The acknowledgement that a packet asks for; `nil` where it asks for none.
    private static func acknowledgement(of packet: String) -> String? {
        let digits = packet.dropFirst(2).prefix { $0.isNumber }
        return packet.hasPrefix("42") && !digits.isEmpty ? "43\(digits)[7]" : nil
    }

    @Test func `acknowledgements come through behind large events, by WebSocket`() async throws {
        try await withSocketIO { io, port in
            let answered = Self.asking(io)
            let client = try await onThread { () -> TestSupport.Client in
                let client = try joined(port: port)
                for _ in 0..<6 { try client.send(.text("42[\"x\",\"\(Self.large)\"]")) }
                for _ in 0..<6 {
                    let answer = try #require(Self.acknowledgement(of: try client.readText()))
                    try client.send(.text(answer))
                }
                return client
            }
            try await until { answered.count == 6 }
            #expect(io.statistics.sessionsOverrun == 0)
            client.close()
        }
    }

    @Test func `acknowledgements come through behind large events, by polling`() async throws {
        try await withSocketIO { io, port in
            let answered = Self.asking(io)
            try await onThread {
                let poller = try Poller(port: port)
                let events = Array(repeating: "42[\"x\",\"\(Self.large)\"]", count: 6).joined(separator: "\u{1E}")
                #expect(try poller.post(events).status == 200)
                var asked = 0
                while asked < 6 {
                    for packet in try poller.poll() {
                        guard let answer = Self.acknowledgement(of: packet) else { continue }
                        asked += 1
                        #expect(try poller.post(answer).status == 200)
                    }
                }
            }
            try await until { answered.count == 6 }
        }
    }

    @Test(arguments: [false, true])
    func `a slow handler costs a client no heartbeat`(polls: Bool) async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxUnhandledBytes = 1000
        configuration.pingInterval = .milliseconds(20)
        configuration.pingTimeout = .seconds(50)
        let gate = Gate()
        try await withSocketIO(configuration) { io, port in
            io.onConnection { socket in socket.on("x") { (_: SocketEvent) in await gate.pass() } }
            let event = "42[\"x\",\"\(String(repeating: "y", count: 1000))\"]"
            // The second ping comes only where the first pong was read, which lies behind events that wait.
            try await onThread {
                if polls {
                    let poller = try Poller(port: port)
                    // The first ping may have come with the answer to the CONNECT, or before it.
                    var heard = poller.early
                    let answer = try poller.post([event, event].joined(separator: "\u{1E}"))
                    #expect(answer.status == 200)
                    for _ in 0..<3 {
                        while !heard.contains("2") { heard += try poller.poll() }
                        heard = []
                        #expect(try poller.post("3", event).status == 200)
                    }
                } else {
                    let client = try joined(port: port, nil)
                    try client.send(.text("40"))
                    var heard: [String] = []
                    while !heard.contains(where: { $0.hasPrefix("40") }) { heard.append(try client.readText()) }
                    try client.send(.text(event), .text(event))
                    for _ in 0..<3 {
                        while !heard.contains("2") { heard.append(try client.readText()) }
                        heard = []
                        try client.send(.text(event), .text("3"))
                    }
                    client.close()
                }
            }
            #expect(gate.waiting == 1)
            gate.open()
        }
    }

    @Test func `events that nobody handles past the hard limit end the session, with a reason and a count`()
        async throws
    {
        var configuration = SocketIOServer.Configuration()
        configuration.maxUnhandledBytes = 10_000
        configuration.maxOvertakenBytes = 100_000
        configuration.pingInterval = .seconds(3600)
        let reasons = Reasons()
        try await withSocketIO(configuration) { io, port in
            io.onConnection { socket in
                reasons.collect(from: socket)
                socket.on("x") { (_: String) in _ = try await socket.emitWithAck("question") as Int }
            }
            let reason = try await onThread { () -> String in
                let client = try joined(port: port)
                defer { client.close() }
                let event = Frame.text("42[\"x\",\"\(String(repeating: "y", count: 5000))\"]")
                try client.send(event)
                _ = try client.readText()
                for _ in 0..<25 { try client.send(event) }
                var frame = try client.readFrame()
                while frame.opcode != Frame.Opcode.close { frame = try client.readFrame() }
                return String(decoding: frame.payload.dropFirst(2), as: UTF8.self)
            }
            #expect(reason == "a packet exceeds maxOvertakenBytes")
            try await until { reasons.all == [.limitExceeded] }
            #expect(io.statistics.sessionsOverrun == 1)
        }
    }

    /// What kept the server reading past the soft limit, and is over.
    enum Overtaker: CaseIterable, Sendable {
        case acknowledged, left, refused, timedOut, pong

        /// Lets it begin and end, for a client that is in `/`.
        func pass(_ io: SocketIOServer, _ socket: Socket, _ client: TestSupport.Client) async throws {
            switch self {
            case .acknowledged:
                let asking = Task { () -> Int in try await socket.emitWithAck("question") }
                try await onThread {
                    let answer = try #require(OvertakingTests.acknowledgement(of: try client.readText()))
                    try client.send(.text(answer))
                }
                #expect(try await asking.value == 7)
            case .left:
                let namespace = io.of("/other")
                try await onThread { try client.send(.text("40/other,")) }
                _ = try await onThread { try client.readText() }
                try await until { namespace.sockets.count == 1 }
                let other = try #require(namespace.sockets.values.first)
                let asking = Task { () -> Int in try await other.emitWithAck("question") }
                _ = try await onThread { try client.readText() }
                try await onThread { try client.send(.text("41/other,")) }
                await #expect(throws: SocketIOError.self) { try await asking.value }
            case .refused:
                io.of("/no").use { socket in
                    _ = Task { () -> Int in try await socket.emitWithAck("question") }
                    while socket.state.withLock({ $0.acknowledgements.isEmpty }) { await Task.yield() }
                    throw SocketIOError.refused("no")
                }
                try await onThread {
                    try client.send(.text("40/no,"))
                    while try client.readText().prefix(2) != "44" {}
                }
            case .timedOut:
                let error = await #expect(throws: SocketIOError.self) {
                    let _: Int = try await socket.timeout(.milliseconds(1)).emitWithAck("question")
                }
                #expect(error?.code == .timedOut)
            case .pong:
                // As if the time of the next ping had come.
                let session = socket.client.session
                session.step { $0.machine.tick(now: .now + .seconds(3601)) }
                try await onThread {
                    #expect(try client.readText() == "2")
                    try client.send(.text("3"))
                }
                try await until { session.state.withLock { !$0.machine.isPongDue } }
            }
        }
    }

    @Test(arguments: Overtaker.allCases)
    func `once nothing is due any more, a client that sends more than is handled is held back`(
        overtaker: Overtaker
    ) async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxUnhandledBytes = 10_000
        configuration.pingInterval = .seconds(3600)
        configuration.pingTimeout = .seconds(3600)
        let gate = Gate()
        try await withSocketIO(configuration) { io, port in
            io.onConnection { socket in socket.on("x") { (_: SocketEvent) in await gate.pass() } }
            let client = try await onThread { try joined(port: port) }
            try await until { io.root.sockets.count == 1 }
            let socket = try #require(io.root.sockets.values.first)
            try await overtaker.pass(io, socket, client)
            let event = Frame.text("42[\"x\",\"\(String(repeating: "y", count: 6000))\"]")
            let sending = Task { try await onThread { for _ in 0..<100 { try client.send(event) } } }
            try await until { socket.client.unhandledBytes > 10_000 }
            for _ in 0..<1000 { await Task.yield() }
            #expect(socket.client.unhandledBytes < 20_000)
            gate.open()
            try await sending.value
            client.close()
        }
    }

    @Test func `who is held back goes on at half of the limit, and not with the first event that is handled`()
        async throws
    {
        var configuration = SocketIOServer.Configuration()
        configuration.maxUnhandledBytes = 10_000
        configuration.pingInterval = .seconds(3600)
        let (first, rest) = (Gate(), Gate())
        let handled = Counter()
        try await withSocketIO(configuration) { io, port in
            io.onConnection { socket in
                socket.on("x") { (_: SocketEvent) in
                    await (handled.count == 0 ? first : rest).pass()
                    handled.increment()
                }
            }
            let client = try await onThread { try joined(port: port) }
            try await until { io.root.sockets.count == 1 }
            let socket = try #require(io.root.sockets.values.first)
            // Of three the third is not read; after the first there are 7 kB left.
            let events = [1000, 7000, 7000, 7000].map { size in
                Frame.text("42[\"x\",\"\(String(repeating: "y", count: size))\"]")
            }
            try await onThread { for event in events { try client.send(event) } }
            try await until { socket.client.unhandledBytes > 15_000 }
            let full = socket.client.unhandledBytes
            first.open()
            try await until { rest.waiting == 1 && socket.client.unhandledBytes < full }
            for _ in 0..<1000 { await Task.yield() }
            #expect(socket.client.unhandledBytes < full)
            rest.open()
            try await until { handled.count == 4 }
            client.close()
        }
    }

    @Test func `parts of a packet count as what waits, though an acknowledgement is due`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxUnhandledBytes = 10_000
        configuration.maxOvertakenBytes = 50_000
        configuration.pingInterval = .seconds(3600)
        try await withSocketIO(configuration) { io, port in
            io.onConnection { socket in
                socket.on("x") { (_: String) in _ = try await socket.emitWithAck("question") as Int }
            }
            try await onThread {
                let client = try joined(port: port)
                try client.send(.text("42[\"x\",\"\(String(repeating: "y", count: 15_000))\"]"))
                _ = try client.readText()
                let part = Frame.binary(Array(repeating: 1, count: 30_000))
                try client.send(.text(#"453-["x",{"_placeholder":true,"num":0}]"#), part, part)
                #expect(try client.readClose() == 1008)
            }
            try await until { io.statistics.sessionsOverrun == 1 }
        }
    }

    @Test func `a POST of more than may wait is answered once it is handled, or the session has ended`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxUnhandledBytes = 1000
        configuration.pingInterval = .seconds(3600)
        for ends in [false, true] {
            let gate = Gate()
            let answered = Counter()
            try await withSocketIO(configuration) { io, port in
                io.onConnection { socket in socket.on("x") { (_: SocketEvent) in await gate.pass() } }
                let poller = try await onThread { try Poller(port: port) }
                let client = try #require(io.root.sockets.values.first).client
                let posting = Task {
                    let text = try await onThread {
                        try poller.post("42[\"x\",\"\(String(repeating: "y", count: 2000))\"]").text
                    }
                    answered.increment()
                    return text
                }
                try await until { client.unhandledBytes > 1000 && gate.waiting == 1 }
                _ = try await onThread { try joined(port: port) }
                for _ in 0..<1000 { await Task.yield() }
                #expect(answered.count == 0)
                if ends { client.session.close() } else { gate.open() }
                #expect(try await posting.value == "ok" && answered.count == 1)
                gate.open()
                poller.connection.close()
            }
        }
    }
}
