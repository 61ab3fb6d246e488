import CApus
import CApusCore
import Synchronization
import TestSupport

/// A client of the core on a loop of its own, which sends one message and closes when that has come back.
///
/// Its methods block, so they are for threads of their own (``onThread(_:)``).
final class CoreClient: @unchecked Sendable {
    /// How an attempt to open a connection ended, and then the connection.
    enum End: Equatable, Sendable {
        /// The opening was refused at once.
        case refused(apus_error)
        case failed(apus_error)
        case ended(apus_error, echoed: [UInt8]?)
    }

    let loop: CoreLoop
    private let config = UnsafeMutablePointer<apus_client_config>.allocate(capacity: 1)
    private let state = Mutex(State())
    private let hasEnded = Blocker()
    private let hasStopped = Blocker()
    private let message: [UInt8]
    private let serverName: String?
    private let onOpen: @Sendable (_ connection: OpaquePointer, _ loop: OpaquePointer) -> Void

    private struct State {
        var end: End?
        var echoed: [UInt8]?
    }

    /// - Parameters:
    ///   - serverName: what the server's certificate must be for; without it there is no TLS.
    ///   - tls: a client's context.
    init(
        message: [UInt8], serverName: String? = nil, tls: OpaquePointer? = nil,
        onOpen: @escaping @Sendable (OpaquePointer, OpaquePointer) -> Void = { _, _ in },
        _ change: (inout apus_client_config) -> Void = { _ in }
    ) throws {
        loop = try CoreLoop()
        self.message = message
        self.serverName = serverName
        self.onOpen = onOpen
        apus_client_config_init(config)
        config.pointee.endpoint.callbacks = Self.callbacks
        config.pointee.opening = Self.openingCallbacks
        config.pointee.endpoint.tls = tls
        change(&config.pointee)
    }

    deinit {
        config.deallocate()
    }

    /// Opens a connection, with the `nth` allocation on the way failing (0: none), and waits for its end, and the
    /// client's.
    func run(port: Int, failing nth: UInt32 = 0) -> End? {
        state.withLock { $0 = State() }
        loop.run {
            apus_alloc_fail(nth)
            var client: OpaquePointer?
            let context = Unmanaged.passUnretained(self).toOpaque()
            let error = apus_client_open(&client, self.loop.pointer, self.config, context)
            guard error == 0, let client else {
                self.end(.refused(apus_error(rawValue: error)))
                self.hasStopped.release()
                return
            }
            self.connect(client, port: port, context)
            let made = Client(pointer: client)
            self.client.withLock { $0 = made }
        }
        hasEnded.wait()
        loop.run {
            apus_alloc_fail(0)
            guard let client = self.client.withLock({ $0 }) else { return }
            self.client.withLock { $0 = nil }
            apus_client_stop(
                client.pointer,
                { context, _ in
                    guard let context else { return }
                    Unmanaged<CoreClient>.fromOpaque(context).takeUnretainedValue().hasStopped.release()
                }, Unmanaged.passUnretained(self).toOpaque())
        }
        hasStopped.wait()
        return state.withLock { $0.end }
    }

    private struct Client: @unchecked Sendable { let pointer: OpaquePointer }
    private let client = Mutex<Client?>(nil)

    private func connect(_ client: OpaquePointer, port: Int, _ context: UnsafeMutableRawPointer) {
        let host = "127.0.0.1"
        let target = "/"
        let empty = ""
        let error = host.withCString { host in
            target.withCString { target in
                empty.withCString { empty in
                    withServerName { serverName in
                        let nothing = apus_text(data: empty, len: 0)
                        var destination = apus_destination(
                            host: host, port: UInt16(port), is_unix: false, server_name: serverName,
                            offer: apus_handshake_offer(
                                host: apus_text(data: host, len: 9), target: apus_text(data: target, len: 1),
                                protocols: nothing, extensions: nothing, fields: nil, field_count: 0),
                            proxied: nothing, proxy_fields: nil, proxy_field_count: 0)
                        var opening: OpaquePointer?
                        return apus_client_connect(client, &destination, context, &opening)
                    }
                }
            }
        }
        if error != 0 { end(.refused(apus_error(rawValue: error))) }
    }

    private func withServerName<T>(_ body: (UnsafePointer<CChar>?) -> T) -> T {
        serverName.map { $0.withCString(body) } ?? body(nil)
    }

    private func end(_ end: End) {
        state.withLock { $0.end = end }
        hasEnded.release()
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> CoreClient? {
        context.map { Unmanaged<CoreClient>.fromOpaque($0).takeUnretainedValue() }
    }

    private static let openingCallbacks = apus_opening_callbacks(
        on_open: { context, opened in
            guard let client = from(context) else { return }
            let connection = opened.pointee.connection
            client.onOpen(connection, client.loop.pointer)
            apus_connection_demand(connection, APUS_DEMAND_ALL)
            if apus_connection_send(connection, APUS_OPCODE_BINARY, client.message, client.message.count) != 0 {
                apus_connection_abort(connection)
            }
        },
        on_fail: { context, failure in
            from(context)?.end(.failed(apus_error(rawValue: failure.pointee.error)))
        })

    private static let callbacks = apus_connection_callbacks(
        on_request: { _, _, _ in },
        on_body: { _, _, _ in },
        on_body_end: { _, _ in }, on_peer_end: { _ in }, on_pull: { _ in }, on_refused: nil,
        on_message: { connection, message in
            let payload = Array(UnsafeRawBufferPointer(start: message.pointee.data, count: message.pointee.len))
            from(apus_connection_endpoint_context(connection))?.state.withLock { $0.echoed = payload }
            apus_connection_close(connection, 1000, nil, 0)
        },
        on_drain: { _ in },
        on_pong: { _, _, _ in },
        on_stop: nil,
        on_end: { connection, ending in
            guard let client = from(apus_connection_endpoint_context(connection)) else { return }
            let echoed = client.state.withLock { $0.echoed }
            client.end(.ended(apus_error(rawValue: ending.pointee.error), echoed: echoed))
        },
        on_free: { _ in })
}
