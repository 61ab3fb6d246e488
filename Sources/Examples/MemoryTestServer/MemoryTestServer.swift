import Apus
import ArgumentParser
import CMalloc
import Glibc
import HTTPTypes
import Synchronization

/// A server that a peer can fill with everything a peer can fill, and that says how much memory it holds: by its own
/// gauge, and by the C library. `Scripts/measure-memory` compares the two.
@main
struct MemoryTestServer: AsyncParsableCommand {
    @Option(help: "The port; 0 for any free one.") var port = 0
    @Option(help: "Event loops, each a thread.") var threads = 1
    @Option(help: "The memory budget, in MiB; by default there is none.") var budget: Int?
    @Flag(help: "Compress with one compressor for each connection.") var compresses = false
    @Flag(help: "Speak Socket.IO at /socket.io/.") var socketIO = false
    @Flag(help: "Remember what Socket.IO's clients may have missed, for 3 s.") var recovery = false
    @Option(help: "A certificate as PEM; the server then speaks TLS.") var tlsCertificate: String?
    @Option(help: "The certificate's private key, as PEM.") var tlsKey: String?

    func run() async throws {
        var configuration = WebSocketServer.Configuration(port: port)
        configuration.threads = threads
        configuration.memoryBudget = budget.map { $0 << 20 } ?? .max
        configuration.handshakeTimeout = .seconds(600)
        configuration.bodyTimeout = .seconds(600)
        configuration.maxFragments = 1 << 20
        configuration.compression = compresses ? .dedicated(level: 6) : .off
        if let tlsCertificate, let tlsKey {
            configuration.tls = TLSConfiguration(certificateFile: tlsCertificate, keyFile: tlsKey)
        }
        let server = try WebSocketServer(configuration: configuration)
        let places = Places(server)
        if socketIO {
            let io = try SocketIOPlaces.make(on: server, recovers: recovery)
            return try await io.run(onListening: announce, http: { try await places.answer($0) })
        }
        try await server.run(
            onListening: announce,
            http: { try await places.answer($0) },
            handler: { try await places.handle($0) }
        )
    }

    private func announce(_ address: SocketAddress) {
        print("listening on \(address.port)")
        fflush(nil)  // The script reads the line from a pipe.
    }
}

/// Handlers that read nothing return when they are told to. A peer's end behind what is not read is not seen before.
enum Release {
    private static let count = Atomic(0)

    static func now() { count.add(1, ordering: .relaxed) }

    /// Suspends until the next ``now()``.
    static func next() async throws {
        let number = count.load(ordering: .relaxed)
        while count.load(ordering: .relaxed) == number { try await Task.sleep(for: .milliseconds(50)) }
    }
}

/// What each path does.
final class Places: Sendable {
    private let server: WebSocketServer
    private let topic: Topic
    private let topics: [Topic]
    /// The messages of `/flood` by their size, so that only what is queued differs between its peers.
    private let messages = Mutex<[Int: [UInt8]]>([:])

    init(_ server: WebSocketServer) {
        self.server = server
        topic = server.makeTopic("all")
        topics = (0..<100).map { server.makeTopic("topic \($0)") }
    }

    func answer(_ request: Request) async throws -> Response {
        switch request.path {
        case "/memory":
            return .text(report())
        case "/trim":
            malloc_trim(0)
            return .text(report())
        case "/whole":
            return Response(status: .ok, body: [UInt8](repeating: 7, count: 1 << 20))
        case "/stream":
            return Response(status: .ok, contentLength: nil) { writer in
                let piece = [UInt8](repeating: 7, count: 16 << 10)
                while true { try await writer.write(piece) }
            }
        case "/unread":
            try await Release.next()
            return .notFound
        case "/release":
            Release.now()
            return .text("released")
        case "/publish":
            // One at a time, each in a turn of its own, so that what fits into the queues gets there.
            for _ in 0..<15 {
                try await topic.publish([UInt8](repeating: 7, count: 64 << 10))
                await Task.yield()
            }
            return .text("published")
        default:
            return .notFound
        }
    }

    func handle(_ socket: WebSocket) async throws {
        switch socket.request.path {
        case "/unread":  // messages
            try await Release.next()
        case "/flood":
            var size = 1000
            for try await case .text(let text) in socket {
                size = Int(text) ?? size
                break
            }
            let message = message(ofSize: size)
            while true { try await socket.send(message) }
        case "/topic":
            try await socket.subscribe(to: topic)
            try await echo(socket)
        case "/topics":
            for topic in topics { try await socket.subscribe(to: topic) }
            try await echo(socket)
        case "/pings":
            try await withThrowingDiscardingTaskGroup { group in
                for _ in 0..<100 { group.addTask { try await socket.ping() } }
                try await echo(socket)
            }
        default:
            try await echo(socket)
        }
    }

    private func message(ofSize size: Int) -> [UInt8] {
        messages.withLock { messages in
            let message = messages[size] ?? [UInt8](repeating: 7, count: size)
            messages[size] = message
            return message
        }
    }

    private func echo(_ socket: WebSocket) async throws {
        for try await message in socket { try await socket.send(message) }
    }

    /// The gauge, the bytes that malloc has handed out, those that it has from the system, and the resident ones.
    private func report() -> String {
        let malloc = mallinfo2()
        let statistics = server.statistics
        let counts = [
            statistics.memoryNow, Int(malloc.uordblks + malloc.hblkhd), Int(malloc.arena + malloc.hblkhd), resident(),
            statistics.connectionsNow, statistics.memoryBudgetClosed, statistics.memoryBudgetRefused,
        ]
        return counts.map(String.init).joined(separator: " ") + "\n"
    }

    private func resident() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 200)
        guard fgets(&buffer, 200, file) != nil else { return 0 }
        let text = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let fields = text.split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}
