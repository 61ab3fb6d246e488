import Apus
import TestSupport
import Testing

@testable import ApusSocketIO

/// Namespaces that come and go, and what brings a client back into one.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct NamespaceTests {
    @Test func `a namespace stays while one client is on its way into it, though another one was refused`() async throws
    {
        var configuration = SocketIOServer.Configuration()
        configuration.forgetsEmptyNamespaces = true
        let (refused, admitted) = (Gate(), Gate())
        try await withSocketIO(configuration) { io, port in
            let parent = io.of { _, _ in true }
            parent.use { socket in
                guard socket.auth["no"] == true else { return await admitted.pass() }
                await refused.pass()
                throw SocketIOError.refused("no")
            }
            let first = try await onThread { try joined(port: port, nil) }
            let second = try await onThread { try joined(port: port, nil) }
            try await onThread {
                try first.send(.text(#"40/x,{"no":true}"#))
                try second.send(.text("40/x,"))
            }
            try await until { refused.waiting == 1 && admitted.waiting == 1 }
            let child = try #require(parent.children["/x"])
            refused.open()
            try await onThread {
                #expect(try first.readText() == #"44/x,{"message":"no"}"#)
                // What the refusal brings with it is over when the next request is answered.
                try first.send(.text("40"))
                #expect(try first.readText().hasPrefix("40{"))
            }
            admitted.open()
            #expect(try await onThread { try second.readText() }.hasPrefix("40/x,"))
            try await until { child.sockets.count == 1 }
            #expect(parent.children["/x"] === child)
            try await onThread { try second.reset() }
            try await until { parent.children.isEmpty }
            first.close()
        }
    }

    @Test(arguments: [64, 65])
    func `a secret as long as any adapter makes brings a client back, and a longer one is not looked for`(
        length: Int
    ) async throws {
        var configuration = SocketIOServer.Configuration()
        configuration.recovery = .init()
        try await withSocketIO(configuration) { io, port in
            try await io.emit("x", 0)
            let secret = String(repeating: "s", count: length)
            let session = RecoveredSession(id: "of before", privateID: secret, rooms: [], data: .null)
            io.root.adapter.persist(session)
            let back = try await onThread { try Recoverable(port: port, #"{"pid":"\#(secret)","offset":"1"}"#) }
            #expect((back.id == "of before") == (length == 64))
            back.client.close()
        }
    }
}
