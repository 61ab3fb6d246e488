import Synchronization

/// Both ends of a connection in memory, for ApusTesting, which says what it does.
package enum WebSocketPair {
    /// - Parameter server: whose settings and event loops the server's end uses.
    package static func run<Value: Sendable>(
        on server: WebSocketServer,
        clientConfiguration: WebSocketClient.Configuration,
        handler: @escaping WebSocketServer.Handler,
        client: @escaping WebSocketClient.Handler<Value>
    ) async throws -> Value {
        let loop = server.loops.first(where: \.isCurrent) ?? server.loops.first
        return try await run(
            configuration: server.configuration, clientConfiguration: clientConfiguration, eventLoop: loop,
            server: handler, client: client)
    }

    @concurrent
    package static func run<Value: Sendable>(
        configuration: WebSocketServer.Configuration,
        clientConfiguration: WebSocketClient.Configuration,
        eventLoop: EventLoop?,
        server: @escaping WebSocketServer.Handler,
        client: @escaping WebSocketClient.Handler<Value>
    ) async throws -> Value {
        try configuration.validate()
        try clientConfiguration.validate()
        let loop = try eventLoop ?? EventLoop.current ?? ClientLoop.shared()
        return try await withTaskExecutorPreference(loop) {
            let pair = try await SocketPair.open(on: loop, server: configuration, client: clientConfiguration)
            let first = FirstError()
            async let served: Void = serve(pair.server, server, first)
            let outcome = await WebSocketClient.attend(pair.client, client)
            if case .failure(let error) = outcome { first.set(error) }
            await served
            await pair.stop()
            if let error = first.value { throw error }
            return try outcome.get()
        }
    }

    /// Runs the server's handler. The end of the connection, which a server's handler often meets as an error, is none.
    private static func serve(_ socket: WebSocket, _ handler: @escaping WebSocketServer.Handler, _ first: FirstError)
        async
    {
        guard case .failure(let error) = await WebSocketClient.attend(socket, handler) else { return }
        if socket.ending != nil, error is WebSocketError { return }
        first.set(error)
    }

    /// The error of whichever handler threw first.
    private final class FirstError: Sendable {
        private let error = Mutex<(any Error)?>(nil)

        func set(_ new: any Error) {
            error.withLock { error in
                if error == nil { error = new }
            }
        }

        var value: (any Error)? { error.withLock { $0 } }
    }
}
