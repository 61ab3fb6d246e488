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
}
