import CApus

/// Owns an `apus_pair` until it is stopped: a server's end and a client's, joined in memory.
final class SocketPair: Sendable {
    let server: WebSocket
    let client: WebSocket
    private nonisolated(unsafe) let pointer: OpaquePointer

    private init(_ pointer: OpaquePointer, server: WebSocket, client: WebSocket) {
        self.pointer = pointer
        self.server = server
        self.client = client
    }

    /// `apus_pair_open`; to be followed by ``stop()``.
    static func open(
        on loop: EventLoop, server: WebSocketServer.Configuration, client: WebSocketClient.Configuration
    ) async throws(WebSocketError) -> SocketPair {
        let opened: Result<SocketPair, WebSocketError> = await loop.run {
            var pointer: OpaquePointer?
            var (server, client) = (apus_endpoint_config(server), apus_endpoint_config(client))
            let ends = Ends(loop)
            let error = apus_pair_open(
                &pointer, loop.handle.pointer, &server, &client, onOpen,
                Unmanaged.passUnretained(ends).toOpaque())
            guard error == 0, let pointer, let server = ends.server, let client = ends.client else {
                return .failure(WebSocketError(core: error))
            }
            return .success(SocketPair(pointer, server: server, client: client))
        }
        return try opened.get()
    }

    /// Closes what is open and waits until both ends are gone. `apus_pair_stop`
    func stop() async {
        await withUnsafeContinuation { continuation in
            let stop: @Sendable () -> Void = {
                let waiter = Unmanaged.passRetained(Waiter(continuation))
                let onStop: @convention(c) (UnsafeMutableRawPointer?) -> Void = { context in
                    guard let context else { return }
                    Unmanaged<Waiter>.fromOpaque(context).takeRetainedValue().continuation.resume()
                }
                apus_pair_stop(self.pointer, onStop, waiter.toOpaque())
            }
            if server.eventLoop.isCurrent { stop() } else { server.eventLoop.post(stop) }
        }
    }

    private final class Waiter {
        let continuation: UnsafeContinuation<Void, Never>

        init(_ continuation: UnsafeContinuation<Void, Never>) { self.continuation = continuation }
    }

    /// Takes both ends from the callback to its caller.
    private final class Ends {
        let loop: EventLoop
        var server: WebSocket?
        var client: WebSocket?

        init(_ loop: EventLoop) { self.loop = loop }

        func makeSocket(_ connection: OpaquePointer, _ head: RequestHead) -> WebSocket {
            let handle = ConnectionHandle(pointer: connection)
            let socket = WebSocket(handle, loop: loop, head: head, subprotocol: nil)
            handle.setOwner(socket)
            return socket
        }
    }

    private static let onOpen: apus_pair_open_cb = { context, opened, request, response in
        guard let context else { return }
        let ends = Unmanaged<Ends>.fromOpaque(context).takeUnretainedValue()
        let noResponse = apus_text(data: response.data, len: 0)
        ends.server = ends.makeSocket(opened.pointee.server, RequestHead(request: request, response: noResponse))
        ends.client = ends.makeSocket(opened.pointee.client, RequestHead(request: request, response: response))
    }
}
