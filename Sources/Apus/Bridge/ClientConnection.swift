import CApus
import HTTPTypes

/// A client of the core with its one connection.
///
/// Everything of it that changes is touched by the loop's thread only.
final class ClientConnection: Sendable {
    let loop: EventLoop
    private nonisolated(unsafe) let client: OpaquePointer
    private let timeouts: (connect: Duration, handshake: Duration)
    @exclusivity(unchecked) private nonisolated(unsafe) var opening: Opening?
    @exclusivity(unchecked) private nonisolated(unsafe) var opened: WebSocket?
    @exclusivity(unchecked) private nonisolated(unsafe) var stopping: UnsafeContinuation<Void, Never>?

    /// An attempt under way, and who waits for it.
    private struct Opening {
        let pointer: OpaquePointer
        let request: ClientRequest
        let wait: Wait
        let continuation: UnsafeContinuation<Result<WebSocket, WebSocketError>, Never>
    }

    /// The connection, once it is open.
    var socket: WebSocket {
        guard let opened else { preconditionFailure("asked for before it is open") }
        return opened
    }

    /// `apus_client_open`; to be followed by ``stop()``. Without `tls` it cannot open a `wss` URL.
    init(
        _ loop: EventLoop, _ configuration: WebSocketClient.Configuration, _ tls: TLSContext?
    ) async throws(WebSocketError) {
        let made: Result<Pointer, WebSocketError> = await loop.run {
            var client: OpaquePointer?
            var config = apus_client_config(configuration)
            config.endpoint.tls = tls?.pointer
            let error = apus_client_open(&client, loop.handle.pointer, &config, nil)
            guard error == 0, let client else { return .failure(WebSocketError(core: error)) }
            return .success(Pointer(pointer: client))
        }
        self.loop = loop
        client = try made.get().pointer
        timeouts = (configuration.connectTimeout, configuration.handshakeTimeout)
    }

    private struct Pointer: @unchecked Sendable { let pointer: OpaquePointer }

    /// Connects, and does the opening handshake; ``socket`` is open then.
    func open(_ request: ClientRequest) async throws(WebSocketError) {
        let wait = Wait()
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                self.onLoop { self.start(request, wait, continuation) }
            }
        } onCancel: {
            wait.cancel()
            loop.post { self.cancel() }
        }
        opened = try result.get()
    }

    /// Closes what is open and waits until it is gone. `apus_client_stop`
    func stop() async {
        await withUnsafeContinuation { continuation in
            self.onLoop {
                self.stopping = continuation
                let onStop: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<apus_statistics>) -> Void = {
                    context, _ in
                    guard let context else { return }
                    Unmanaged<ClientConnection>.fromOpaque(context).takeRetainedValue().stopped()
                }
                apus_client_stop(self.client, onStop, Unmanaged.passRetained(self).toOpaque())
            }
        }
    }

    private func stopped() {
        stopping?.resume()
        stopping = nil
    }

    private func onLoop(_ body: @escaping @Sendable () -> Void) {
        if loop.isCurrent { body() } else { loop.post(body) }
    }

    /// `apus_client_connect`; on the loop.
    private func start(
        _ request: ClientRequest, _ wait: Wait,
        _ continuation: UnsafeContinuation<Result<WebSocket, WebSocketError>, Never>
    ) {
        guard !wait.isCancelled else {
            continuation.resume(returning: .failure(.cancelledConnecting))
            return
        }
        // Released by whichever call ends the opening.
        let context = Unmanaged.passRetained(self)
        var pointer: OpaquePointer?
        let error = request.withDestination { destination in
            apus_client_connect(client, destination, context.toOpaque(), &pointer)
        }
        guard error == 0, let pointer else {
            context.release()
            continuation.resume(returning: .failure(WebSocketError(refused: request, error)))
            return
        }
        opening = Opening(pointer: pointer, request: request, wait: wait, continuation: continuation)
    }

    /// `apus_opening_cancel`; on the loop.
    private func cancel() {
        guard let opening, opening.wait.isCancelled else { return }
        self.opening = nil
        apus_opening_cancel(opening.pointer)
        opening.continuation.resume(returning: .failure(.cancelledConnecting))
        Unmanaged.passUnretained(self).release()
    }

    /// Ends the wait, and drops the reference that the opening held.
    private func end(_ result: Result<WebSocket, WebSocketError>) {
        guard let opening else { return }
        self.opening = nil
        opening.continuation.resume(returning: result)
        Unmanaged.passUnretained(self).release()
    }

    fileprivate static let callbacks = apus_opening_callbacks(
        on_open: { context, opened in
            guard let context else { return }
            let client = Unmanaged<ClientConnection>.fromOpaque(context).takeUnretainedValue()
            let handle = ConnectionHandle(pointer: opened.pointee.connection)
            let head = RequestHead(request: opened.pointee.request, response: opened.pointee.response.pointee.head.all)
            let subprotocol = opened.pointee.subprotocol
            let socket = WebSocket(
                handle, loop: client.loop, head: head, subprotocol: subprotocol.len == 0 ? nil : subprotocol.string)
            handle.setOwner(socket)
            client.end(.success(socket))
        },
        on_fail: { context, failure in
            guard let context else { return }
            let client = Unmanaged<ClientConnection>.fromOpaque(context).takeUnretainedValue()
            guard let request = client.opening?.request else { return }
            client.end(.failure(WebSocketError(failure.pointee, request, client.timeouts)))
        })
}

extension apus_client_config {
    fileprivate init(_ configuration: WebSocketClient.Configuration) {
        self.init()
        apus_client_config_init(&self)
        endpoint = apus_endpoint_config(configuration)
        connect_timeout = UInt32(configuration.connectTimeout.milliseconds)
        body_limit = UInt32(configuration.maxRefusalBytes)
        opening = ClientConnection.callbacks
    }
}
