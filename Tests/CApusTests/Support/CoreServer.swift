import CApus
import CApusCore
import CApusInternals
import Glibc
import Synchronization
import TestSupport

/// A listener on a loop of its own, as C sees it. A test says what the callbacks do; all of them are noted.
///
/// Its methods block, so they are for threads of their own (``onThread(_:)``). It lives until it is stopped: a test
/// that fails before leaves its loop running.
final class CoreServer: @unchecked Sendable {
    /// What the core has told, in order.
    enum Event: Equatable, Sendable {
        case request(String, isUpgrade: Bool)
        case body([UInt8])
        case bodyEnd(apus_error)
        case message(apus_opcode, [UInt8])
        case drain
        case pong([UInt8])
        case end(code: UInt16, reason: String, error: apus_error)
        case free
    }

    /// What to do when the core calls, on the loop.
    struct Behaviour: Sendable {
        /// Accepts upgrades, and answers other requests with their target; where memory is out, gives up.
        var onRequest: @Sendable (Connection, _ target: String, _ isUpgrade: Bool) -> Void = {
            connection, target, isUpgrade in
            let error = isUpgrade ? connection.accept() : connection.respond(200, Array(target.utf8))
            if error != 0 {
                connection.abort()
            } else if isUpgrade {
                connection.demand(APUS_DEMAND_ALL)
            }
        }
        /// Sends it back.
        var onMessage: @Sendable (Connection, apus_opcode, [UInt8]) -> Void = { $0.send($1, $2) }
        /// Where there is one, messages are left to a job, which this is.
        var onJob: (@Sendable (Connection) -> Void)?
        var onBody: @Sendable (Connection) -> Void = { $0.demandBody() }
        var onBodyEnd: @Sendable (Connection, apus_error) -> Void = { _, _ in }
        var onPeerEnd: @Sendable (Connection) -> Void = { _ in }
        var onPull: @Sendable (Connection) -> Void = { _ in }
        var onDrain: @Sendable (Connection) -> Void = { _ in }
        var onPong: @Sendable (Connection) -> Void = { _ in }
        var onEnd: @Sendable (Connection) -> Void = { _ in }

        /// Accepts upgrades, demands nothing, and gives the connections to a test.
        static func withoutDemand(_ connections: Box<Connection>) -> Self {
            Self(
                onRequest: { connection, _, _ in
                    connection.accept()
                    connections.put(connection)
                }, onMessage: { _, _, _ in })
        }
    }

    let loop: OpaquePointer
    let port: Int
    let config: UnsafeMutablePointer<apus_listener_config>
    let admission: UnsafeMutablePointer<apus_admission>
    /// Whose admission it is, where that is another server's.
    private let other: CoreServer?
    private let behaviour: Behaviour
    private let state = Mutex(State())
    private let hasStopped = Blocker()

    private struct State {
        var events: [Event] = []
        var listener: Listener?
        var statistics = apus_statistics()
    }

    private struct Listener: @unchecked Sendable { let pointer: OpaquePointer }

    /// What the core returned where it did not succeed.
    struct Failure: Error, Equatable { let number: CInt }

    /// - Parameter other: a server on another loop, to which this one belongs.
    init(
        _ change: (inout apus_listener_config) -> Void = { _ in },
        _ behaviour: Behaviour = Behaviour(), with other: CoreServer? = nil
    ) throws {
        self.other = other
        self.behaviour = behaviour
        config = .allocate(capacity: 1)
        apus_listener_config_init(config)
        config.pointee.endpoint.callbacks = Self.callbacks
        change(&config.pointee)
        admission = other?.admission ?? .allocate(capacity: 1)
        if other == nil { admission.initialize(to: apus_admission()) }
        guard let loop = apus_loop_new() else { throw Failure(number: APUS_ENOMEM.rawValue) }
        self.loop = loop
        apus_loop_set_runner(
            loop,
            { _, job in
                let pointer = OpaquePointer(job)
                CoreServer.server(pointer)?.behaviour.onJob?(Connection(pointer: pointer))
            }, nil)
        var descriptor: CInt = -1
        try Self.check(apus_socket_listen_tcp("127.0.0.1", 0, 64, &descriptor, 1))
        var address = apus_address()
        try Self.check(apus_socket_local(descriptor, &address))
        port = Int(address.port)
        var listener: OpaquePointer?
        let context = Unmanaged.passRetained(self)
        let result = apus_listener_open(&listener, loop, descriptor, config, admission, context.toOpaque())
        if result != 0 { context.release() }
        try Self.check(result)
        let opened = listener.map(Listener.init)
        state.withLock { $0.listener = opened }
        try Self.check(apus_loop_start(loop, "core"))
    }

    deinit {
        config.deallocate()
        if other == nil { admission.deallocate() }
    }

    private static func check(_ result: CInt) throws {
        if result != 0 { throw Failure(number: result) }
    }

    /// Stops the listener, if that has not been done, and the loop; returns the last counts. To be called once.
    @discardableResult
    func stop(deadline: UInt32 = 10_000) -> apus_statistics {
        run { self.stopListener(deadline: deadline) }
        return waitForStop()
    }

    /// On the loop.
    func stopListener(deadline: UInt32) {
        guard let listener = state.withLock({ $0.listener }) else { return }
        apus_listener_stop(listener.pointer, deadline) { context, statistics in
            guard let context else { return }
            let server = Unmanaged<CoreServer>.fromOpaque(context).takeUnretainedValue()
            let last = statistics.pointee
            server.state.withLock { state in
                state.statistics = last
                state.listener = nil
            }
            server.hasStopped.release()
        }
    }

    /// Waits until the listener has stopped, and frees the loop.
    func waitForStop() -> apus_statistics {
        hasStopped.wait()
        apus_loop_free(loop)
        defer { Unmanaged.passUnretained(self).release() }
        return state.withLock { $0.statistics }
    }

    /// What has been counted so far.
    func counted() -> apus_statistics {
        let sums = Box<apus_statistics>()
        run { sums.put(self.countedHere()) }
        return sums.take() ?? apus_statistics()
    }

    /// The same, on the loop.
    func countedHere() -> apus_statistics {
        var sum = apus_statistics()
        if let listener = state.withLock({ $0.listener }) {
            apus_listener_add_statistics(listener.pointer, &sum)
        } else {
            sum = state.withLock { $0.statistics }
        }
        return sum
    }

    /// Calls `body` on the loop, and waits for it.
    func run(_ body: @escaping @Sendable () -> Void) {
        let isDone = Blocker()
        post {
            body()
            isDone.release()
        }
        isDone.wait()
    }

    /// Puts the clock of the loop's timers forward; what is due has fired when this returns.
    func skip(_ milliseconds: UInt64) { run { apus__loop_skip(self.loop, milliseconds) } }

    /// Calls `body` on the loop, soon.
    func post(_ body: @escaping @Sendable () -> Void) { CApusTests.post(to: loop, body) }

    /// What has been told so far.
    var events: [Event] { state.withLock { $0.events } }

    /// Waits until the core has told so many things.
    func events(_ count: Int) -> [Event] {
        while events.count < count { sched_yield() }
        return events
    }

    private func note(_ event: Event) { state.withLock { $0.events.append(event) } }

    // The core's calls.

    fileprivate static func server(_ connection: OpaquePointer) -> CoreServer? {
        apus_connection_endpoint_context(connection).map {
            Unmanaged<CoreServer>.fromOpaque($0).takeUnretainedValue()
        }
    }

    private static let callbacks = apus_connection_callbacks(
        on_request: { pointer, head, isUpgrade in
            let text = head.pointee.target
            let bytes = UnsafeRawBufferPointer(start: text.data, count: text.len)
            let target = String(decoding: bytes, as: UTF8.self)
            server(pointer)?.note(.request(target, isUpgrade: isUpgrade))
            server(pointer)?.behaviour.onRequest(Connection(pointer: pointer), target, isUpgrade)
        },
        on_body: { pointer, data, len in
            server(pointer)?.note(.body(Array(UnsafeBufferPointer(start: data, count: len))))
            server(pointer)?.behaviour.onBody(Connection(pointer: pointer))
        },
        on_body_end: { pointer, error in
            server(pointer)?.note(.bodyEnd(apus_error(rawValue: error)))
            server(pointer)?.behaviour.onBodyEnd(Connection(pointer: pointer), apus_error(rawValue: error))
        },
        on_peer_end: { pointer in server(pointer)?.behaviour.onPeerEnd(Connection(pointer: pointer)) },
        on_pull: { pointer in server(pointer)?.behaviour.onPull(Connection(pointer: pointer)) },
        on_refused: nil,
        on_message: { pointer, message in
            if let server = server(pointer), server.behaviour.onJob != nil {
                apus_connection_leave(pointer, message)
                apus_loop_enqueue(server.loop, UnsafeMutableRawPointer(pointer))
                return
            }
            let payload = Array(UnsafeRawBufferPointer(start: message.pointee.data, count: message.pointee.len))
            server(pointer)?.note(.message(message.pointee.opcode, payload))
            server(pointer)?.behaviour.onMessage(Connection(pointer: pointer), message.pointee.opcode, payload)
        },
        on_drain: { pointer in
            server(pointer)?.note(.drain)
            server(pointer)?.behaviour.onDrain(Connection(pointer: pointer))
        },
        on_pong: { pointer, data, len in
            server(pointer)?.note(.pong(Array(UnsafeRawBufferPointer(start: data, count: len))))
            server(pointer)?.behaviour.onPong(Connection(pointer: pointer))
        },
        on_stop: nil,
        on_end: { pointer, ending in
            let bytes = UnsafeRawBufferPointer(start: ending.pointee.reason, count: ending.pointee.reason_len)
            let reason = String(decoding: bytes, as: UTF8.self)
            let error = apus_error(rawValue: ending.pointee.error)
            server(pointer)?.note(.end(code: ending.pointee.code, reason: reason, error: error))
            server(pointer)?.behaviour.onEnd(Connection(pointer: pointer))
        },
        on_free: { pointer in server(pointer)?.note(.free) }
    )
}

/// A connection of the core, for the loop's thread.
struct Connection: @unchecked Sendable {
    let pointer: OpaquePointer

    @discardableResult
    func accept(subprotocol: String = "", fields: [(String, String)] = []) -> CInt {
        withFields(fields) { fields in
            var subprotocol = subprotocol
            return subprotocol.withUTF8 { bytes in
                bytes.withMemoryRebound(to: CChar.self) { characters in
                    let text = apus_text(data: characters.baseAddress ?? emptyText, len: characters.count)
                    return apus_connection_accept(pointer, text, fields.baseAddress, fields.count)
                }
            }
        }
    }

    @discardableResult
    func respond(_ status: UInt32, _ body: [UInt8] = [], fields: [(String, String)] = []) -> CInt {
        withFields(fields) { apus_connection_respond(pointer, status, $0.baseAddress, $0.count, body, body.count) }
    }

    @discardableResult
    func demandBody() -> CInt { apus_connection_demand_body(pointer) }

    /// Begins an answer of that length, or of one that is not known.
    @discardableResult
    func begin(_ status: UInt32, _ length: UInt64 = .max) -> CInt {
        apus_connection_begin(pointer, status, nil, 0, length)
    }

    @discardableResult
    func write(_ bytes: [UInt8]) -> CInt { apus_connection_write(pointer, bytes, bytes.count) }

    @discardableResult
    func end() -> CInt { apus_connection_end(pointer) }

    func demand(_ demand: apus_demand) { apus_connection_demand(pointer, demand) }

    @discardableResult
    func send(_ opcode: apus_opcode, _ bytes: [UInt8]) -> CInt {
        apus_connection_send(pointer, opcode, bytes, bytes.count)
    }

    @discardableResult
    func ping(_ bytes: [UInt8] = []) -> CInt { apus_connection_ping(pointer, bytes, bytes.count) }

    @discardableResult
    func close(_ code: UInt16 = 1000, _ reason: String = "") -> CInt {
        let bytes = Array(reason.utf8)
        return apus_connection_close(pointer, code, bytes, bytes.count)
    }

    func abort() { apus_connection_abort(pointer) }

    /// Stops the listener that it came from.
    func stopListener() { CoreServer.server(pointer)?.stopListener(deadline: 10_000) }

    /// The next message, if there is one.
    func next() -> [UInt8]? {
        var message = apus_incoming()
        guard apus_connection_next(pointer, &message) else { return nil }
        return Array(UnsafeRawBufferPointer(start: message.data, count: message.len))
    }

    private func withFields<T>(
        _ fields: [(String, String)], _ body: (UnsafeBufferPointer<apus_field>) -> T
    ) -> T {
        // Strings of a test live as long as the call: they are copied for it.
        let copies = fields.map { (strdup($0.0), $0.0.utf8.count, strdup($0.1), $0.1.utf8.count) }
        defer {
            for copy in copies {
                free(copy.0)
                free(copy.2)
            }
        }
        let texts = copies.map { name, nameCount, value, valueCount in
            apus_field(
                name: apus_text(data: UnsafePointer(name) ?? emptyText, len: nameCount),
                value: apus_text(data: UnsafePointer(value) ?? emptyText, len: valueCount))
        }
        return texts.withUnsafeBufferPointer(body)
    }
}

private nonisolated(unsafe) let emptyText: UnsafePointer<CChar> = {
    let empty: StaticString = ""
    return UnsafeRawPointer(empty.utf8Start).assumingMemoryBound(to: CChar.self)
}()

extension Connection {
    /// A number that a test keeps with the connection.
    var written: Int {
        get { apus_connection_context(pointer).map { Int(bitPattern: $0) } ?? 0 }
        nonmutating set { apus_connection_set_context(pointer, UnsafeMutableRawPointer(bitPattern: newValue)) }
    }
}
