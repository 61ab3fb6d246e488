import Apus
import Synchronization
import TestSupport
import Testing

@testable import ApusSocketIO

/// What a client can do to a server with names, packets and namespaces, from outside.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct LimitsTests {
    /// Reads up to the Close, and gives its reason.
    private static func closeReason(_ client: TestSupport.Client) throws -> String {
        var frame = try client.readFrame()
        while frame.opcode != Frame.Opcode.close { frame = try client.readFrame() }
        #expect(frame.closeCode == 1008)
        client.close()
        return String(decoding: frame.payload.dropFirst(2), as: UTF8.self)
    }

    @Test(
        arguments: [
            ("42[\"", "\"]", "maxEventNameBytes"), ("42[\"x\",\"", "\"]", nil), ("40/", ",", "maxNamespaceBytes"),
            ("42/", ",[\"x\"]", "maxNamespaceBytes"), ("41/", ",", "maxNamespaceBytes"),
            ("43/", ",1[]", "maxNamespaceBytes"),
        ] as [(String, String, String?)])
    func `names of combining marks are refused unseen, by their length`(
        before: String, after: String, setting: String?
    ) async throws {
        let (seen, heard, reasons) = (Counter(), Counter(), Reasons())
        let long = before + marks(990_000) + after
        try await withSocketIO { io, port in
            _ = io.of { _, _ in
                seen.increment()
                return true
            }
            io.onConnection { socket in
                reasons.collect(from: socket)
                socket.onAny { _ in heard.increment() }
            }
            let client = try await onThread { try joined(port: port) }
            try await onThread { try client.send(.text(long)) }
            if let setting {
                let reason = try await onThread { try Self.closeReason(client) }
                #expect(reason == "a packet exceeds \(setting)")
                try await until { reasons.all == [.limitExceeded] }
                #expect(io.statistics.namesRefused == 1 && heard.count == 0)
            } else {
                try await until { heard.count == 1 }
                #expect(io.statistics.namesRefused == 0)
                client.close()
            }
            #expect(seen.count == 0)
        }
    }

    @Test func `combining marks as auth, recovery, keys, rooms and acknowledgements occupy nobody`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.recovery = .init()
        configuration.maxAuthBytes = 2 << 20
        let heard = Counter()
        try await withSocketIO(configuration) { io, port in
            io.use { socket in
                if socket.auth["token"] == "secret" { throw SocketIOError.refused("no") }
            }
            io.onConnection { socket in
                socket.on("join") { (room: String) -> [Bool] in
                    await socket.join(room)
                    try await io.to(room).emit("joined")
                    let isIn = socket.rooms.contains(Name(room))
                    await socket.leave(room)
                    return [isIn, socket.rooms.contains(Name(room))]
                }
                socket.on("object") { (_: [String: JSON]) in heard.increment() }
            }
            for number in 0..<20 { try await io.emit("x", number) }
            let client = try await onThread { try joined(port: port, nil) }
            let half = marks(400_000)
            let answers = try await onThread { () -> [String] in
                try client.send(.text("40{\"pid\":\"\(half)\",\"offset\":\"\(half)\"}"))
                var answers = [try client.readText()]
                try client.send(.text("42[\"object\",{\"\(half)\":1}]"), .text("421[\"join\",\"\(half)\"]"))
                answers += [try client.readText(), try client.readText()]
                try client.send(.text("431[\"\(half)\"]"), .text("40/other,{\"token\":\"\(half)\"}"))
                answers.append(try client.readText())
                return answers
            }
            #expect(answers[0].hasPrefix("40{\"sid\""))
            #expect(answers[1].hasPrefix("42[\"joined\",") && answers[2] == "431[[true,false]]")
            #expect(answers[3] == "44/other,{\"message\":\"Invalid namespace\"}")
            #expect(heard.count == 0)
            client.close()
        }
    }

    @Test func `rooms whose names are canonically equivalent are different`() async throws {
        try await withSocketIO { io, port in
            let client = try await onThread { try joined(port: port) }
            let socket = try #require(io.root.sockets.values.first)
            await socket.join("\u{E9}")
            try await io.to("e\u{301}").emit("wrong")
            try await io.to("\u{E9}").emit("right")
            #expect(try await onThread { try client.readText() } == #"42["right"]"#)
            client.close()
        }
    }

    @Test func `a packet counts with all its attachments, and the last is not its size`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxUnhandledBytes = 100_000
        configuration.pingInterval = .seconds(3600)
        let gate = Gate()
        try await withSocketIO(configuration) { io, port in
            io.onConnection { socket in socket.on("x") { (_: SocketEvent) in await gate.pass() } }
            let client = try await onThread { try joined(port: port) }
            let socket = try #require(io.root.sockets.values.first)
            let head = Frame.text(#"452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#)
            let large = Frame.binary(Array(repeating: 1, count: 60_000))
            let sending = Task {
                try await onThread { for _ in 0..<100 { try client.send(head, large, .binary([1])) } }
            }
            try await until { socket.client.unhandledBytes > 100_000 }
            for _ in 0..<1000 { await Task.yield() }
            #expect(socket.client.unhandledBytes < 200_000)
            gate.open()
            try await sending.value
            client.close()
        }
    }

    @Test func `a packet that grows too large ends the session while it comes`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxPacketBytes = 1_000_000
        let reasons = Reasons()
        try await withSocketIO(configuration) { io, port in
            io.onConnection { reasons.collect(from: $0) }
            let client = try await onThread { try joined(port: port) }
            let reason = try await onThread { () -> String in
                let part = Frame.binary(Array(repeating: 1, count: 500_000))
                try client.send(.text(#"453-["x"]"#), part, part)
                return try Self.closeReason(client)
            }
            #expect(reason == "a packet exceeds maxPacketBytes")
            let other = try await onThread { try joined(port: port) }
            try await onThread { try other.send(.text(#"4511-["x"]"#)) }
            #expect(try await onThread { try Self.closeReason(other) } == "a packet exceeds maxAttachments")
            try await until { reasons.all == [.limitExceeded, .limitExceeded] }
            #expect(io.statistics.packetsRefused == 2)
        }
    }

    @Test func `a client may be in so many namespaces, and is told`() async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxNamespacesPerClient = 2
        try await withSocketIO(configuration) { io, port in
            _ = io.of { _, _ in true }
            let answers = try await onThread { () -> [String] in
                let client = try joined(port: port)
                defer { client.close() }
                try client.send(.text("40/a,"))
                var answers = [try client.readText()]
                try client.send(.text("40/b,"))
                answers.append(try client.readText())
                try client.send(.text("41/a,"), .text("40/b,"))
                answers.append(try client.readText())
                return answers
            }
            #expect(answers[0].hasPrefix("40/a,") && answers[2].hasPrefix("40/b,"))
            #expect(answers[1] == #"44/b,{"message":"Too many namespaces"}"#)
            #expect(io.statistics.namespacesRefused == 1)
        }
    }

    @Test func `what a client sends to join is limited, and the client is told`() async throws {
        try await withSocketIO { io, port in
            let answers = try await onThread { () -> [String] in
                let client = try joined(port: port, nil)
                defer { client.close() }
                try client.send(.text("40{\"token\":\"\(String(repeating: "t", count: 65_536))\"}"))
                var answers = [try client.readText()]
                try client.send(.text("40{\"token\":\"\(String(repeating: "t", count: 60_000))\"}"))
                answers.append(try client.readText())
                return answers
            }
            #expect(answers[0] == #"44{"message":"The auth object is too large"}"#)
            #expect(answers[1].hasPrefix("40{"))
            #expect(io.statistics.namespacesRefused == 1)
        }
    }

    @Test(arguments: [false, true])
    func `clients may name so many namespaces, and those that are empty give way`(forgets: Bool) async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.maxDynamicNamespaces = 2
        configuration.forgetsEmptyNamespaces = forgets
        try await withSocketIO(configuration) { io, port in
            let parent = io.of { name, _ in name != "/no" }
            let client = try await onThread { try joined(port: port, "/a,") }
            let ask = { @Sendable (name: String) throws -> String in
                try client.send(.text("40\(name),"))
                return try client.readText()
            }
            #expect(try await onThread { try ask("/b") }.hasPrefix("40/b,"))
            let full = try await onThread { try ask("/c") }
            #expect(full == #"44/c,{"message":"Too many namespaces"}"#)
            #expect(try await onThread { try ask("/no") } == #"44/no,{"message":"Invalid namespace"}"#)
            #expect(io.statistics.namespacesRefused == 1)
            try await onThread { try client.send(.text("41/a,")) }
            #expect(try await onThread { try ask("/c") }.hasPrefix("40/c,"))
            #expect(Set(parent.children.keys) == ["/b", "/c"])
            client.close()
        }
    }
}
