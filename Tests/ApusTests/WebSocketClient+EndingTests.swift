@testable import Apus
import TestSupport
import Testing

/// A client's open connection, and its end, with servers that say what they like.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ClientEndingTests {
    @Test func `every frame has a masking key of its own`() async throws {
        try await withRawServer { client in
            try client.acceptHandshake()
            let keys = try (0..<300).map { _ in try client.readMaskedFrame().key }
            #expect(Set(keys).count == 300)
            try client.answerClose()
        } body: { port in
            try await connect(port: port) { socket in
                for _ in 0..<300 { try await socket.send("the same") }
            }
        }
    }

    @Test func `a server that masks breaks the protocol`() async throws {
        try await withRawServer { client in
            try client.acceptHandshake()
            try client.send(Frame.text("masked"))
            #expect(try client.readMaskedFrame().closeCode == 1002)
            client.close()
        } body: { port in
            let code = await errorCode {
                try await connect(port: port) { socket in for try await _ in socket {} }
            }
            #expect(code == .protocolViolation)
        }
    }

    @Test func `a server that goes without a word is told`() async throws {
        try await withRawServer { client in
            try client.acceptHandshake()
            client.close()
        } body: { port in
            let code = await errorCode {
                try await connect(port: port) { socket in for try await _ in socket {} }
            }
            #expect(code == .connectionLost)
        }
    }

    @Test func `a server that answers no Close, or closes no stream, is left after a while`() async throws {
        let silent: ServerScript = { client in
            try client.acceptHandshake()
            #expect(try client.readMaskedFrame().closeCode == 1000)
            try client.expectEnd()
        }
        let answering: ServerScript = { client in
            try client.acceptHandshake()
            #expect(try client.readMaskedFrame().closeCode == 1000)
            do {
                try client.send([0x88, 0x02, 0x03, 0xe8])
                try client.expectEnd()
            } catch Client.Failure.reset {}  // the answer came too late
        }
        try await withRawServer([silent, answering]) { port in
            for _ in 0..<2 {
                try await connect(port: port, "/") {
                    $0.closeTimeout = .milliseconds(100)
                } handler: { _ in
                }
            }
        }
    }

    @Test func `nothing is left on the event loop of a client that was refused`() async throws {
        weak var loop: EventLoop?
        try await withServer(upgrade: { _ in .reject(.notFound) }) { _, port in
            let strong = try EventLoop(name: "test")
            loop = strong
            let code = await errorCode {
                try await WebSocketClient.connect("ws://127.0.0.1:\(port)/", eventLoop: strong) { _ in }
            }
            #expect(code == .handshakeRefused)
        }
        try await until { loop == nil }
    }
}
