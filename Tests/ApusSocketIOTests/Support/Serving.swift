import Apus
import ApusSocketIO
import Logging
import Synchronization
import TestSupport

/// Runs a Socket.IO server on two loops while `body` talks to it; then stops it, and waits for its end.
func withSocketIO(
    _ configuration: SocketIOServer.Configuration = .init(),
    settings: WebSocketServer.Configuration = .init(port: 0), _ body: (SocketIOServer, Int) async throws -> Void
) async throws {
    var settings = settings
    settings.threads = 2
    settings.shutdownSignals = []
    let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let io = try SocketIOServer(
        on: try WebSocketServer(configuration: settings, logger: silent), configuration: configuration)
    let (ports, port) = AsyncStream.makeStream(of: Int.self)
    try await withThrowingTaskGroup { group in
        group.addTask {
            defer { port.finish() }
            try await io.run(onListening: { port.yield($0.port) })
        }
        for await port in ports {
            try await body(io, port)
            break
        }
        group.cancelAll()
        try await group.waitForAll()
    }
}

/// Waits until something that no client can see has come about; the test's time limit is the end of its patience.
func until(_ condition: () -> Bool) async throws {
    while !condition() {
        try Task.checkCancellation()
        await Task.yield()
    }
}

/// A client by polling, on one connection.
final class Poller: Sendable {
    let connection: Client
    let sid: String
    /// What came with the answer to its joining.
    let early: [String]
    private let port: Int
    private let target: String

    init(port: Int, namespace: String? = "") throws {
        self.port = port
        connection = try Client(port: port)
        try connection.sendRequest("GET", "/socket.io/?EIO=4&transport=polling")
        sid = String(try connection.readAnswer().text.split(separator: "\"")[3])
        target = "/socket.io/?EIO=4&transport=polling&sid=\(sid)"
        guard let namespace else {
            early = []
            return
        }
        _ = try Self.post("40\(namespace)", to: target, on: connection)
        try connection.sendRequest("GET", target)
        early = try Self.readPackets(connection)
    }

    private static func readPackets(_ connection: Client) throws -> [String] {
        try connection.readAnswer().text.split(separator: "\u{1E}").map(String.init)
    }

    private static func post(_ packet: String, to target: String, on connection: Client) throws -> Answer {
        try connection.sendRequest("POST", target, "Content-Length: \(packet.utf8.count)")
        try connection.send(packet)
        return try connection.readAnswer()
    }

    /// Posts packets on a connection of their own, and returns the answer.
    func post(_ packets: String...) throws -> Answer {
        let other = try Client(port: port)
        defer { other.close() }
        return try Self.post(packets.joined(separator: "\u{1E}"), to: target, on: other)
    }

    /// Begins a POST that does not bring all of its content.
    func startPost() throws -> Client {
        let other = try Client(port: port)
        try other.sendRequest("POST", target, "Content-Length: 100")
        try other.send("42[")
        return other
    }

    /// The packets of the poll that was started.
    func finishPoll() throws -> [String] { try Self.readPackets(connection) }

    /// The answer to another poll, whatever it is.
    func pollForAnswer() throws -> Answer {
        try startPoll()
        return try connection.readAnswer()
    }

    func startPoll() throws { try connection.sendRequest("GET", target) }

    /// The packets of the answer to the poll that was started.
    func answer() throws -> [String] { try Self.readPackets(connection) }

    /// The packets of the next answer.
    func poll() throws -> [String] {
        try startPoll()
        return try Self.readPackets(connection)
    }

    /// Opens a WebSocket beside it, up to the answered probe.
    func probe(port: Int) throws -> Client {
        let client = try Client.webSocket(port: port, "/socket.io/?EIO=4&transport=websocket&sid=\(sid)")
        try client.send(.text("2probe"))
        guard try client.readText() == "3probe" else { throw Client.Failure.malformed("no answer to the probe") }
        return client
    }
}

/// A client by WebSocket, which has joined a namespace unless there is none.
func joined(port: Int, _ namespace: String? = "") throws -> Client {
    let client = try Client.webSocket(port: port, "/socket.io/?EIO=4&transport=websocket")
    _ = try client.readText()
    guard let namespace else { return client }
    try client.send(.text("40\(namespace)"))
    _ = try client.readText()
    return client
}

/// The number in the event `tick` of a packet; `nil` for a ping.
func tick(_ packet: String) -> Int? { Int(packet.filter(\.isNumber).dropFirst(2)) }

/// A number that one task counts up and another one looks at.
final class Counter: Sendable {
    private let value = Mutex(0)

    var count: Int { value.withLock { $0 } }

    func increment() { value.withLock { $0 += 1 } }
}

/// Text of so many bytes that costs Swift quadratic time to compare: combining marks whose order is not the canonical
/// one.
func marks(_ bytes: Int) -> String { String(repeating: "\u{301}\u{323}", count: bytes / 4) }

/// Holds those who pass until it is opened.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var waiting: Int { state.withLock { $0.waiters.count } }

    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            state.isOpen = true
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

/// Why clients have left, in order.
final class Reasons: Sendable {
    private let reasons = Mutex<[DisconnectReason]>([])

    var all: [DisconnectReason] { reasons.withLock { $0 } }

    func collect(from socket: Socket) {
        socket.onDisconnect { reason in self.reasons.withLock { $0.append(reason) } }
    }
}

/// A client by WebSocket that is in the root namespace, and for which the system holds little.
func slowWebSocket(port: Int) async throws -> TestSupport.Client {
    try await onThread {
        let target = "/socket.io/?EIO=4&transport=websocket"
        let client = try TestSupport.Client.webSocket(port: port, target, receiveBuffer: 4096)
        try client.send(.text("40"))
        _ = (try client.readText(), try client.readText())
        return client
    }
}
