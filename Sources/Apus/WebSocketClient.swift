import HTTPTypes
import Logging

/// A client for WebSockets.
///
/// ```swift
/// try await WebSocketClient.connect("ws://127.0.0.1:8080/") { socket in
///     try await socket.send("hello")
///     for try await message in socket { print(message) }
/// }
/// ```
///
/// A connection lives on an event loop, and its handler runs there, as a server's does, so it must not block: the loop
/// that the caller is on, which for the handler of a server's connection is the connection's own, or else one that all
/// clients of the process share.
public enum WebSocketClient {
    /// What to do with a connection.
    public typealias Handler<Value> = @Sendable @concurrent (WebSocket) async throws -> Value

    /// Opens a WebSocket, runs `handler` with it, closes it, and returns what the handler returned.
    ///
    /// It closes with 1000 when the handler returns, with 1011 when it throws, and with 1001 when the task is
    /// cancelled; and returns once the connection is gone, at most twice ``Configuration/closeTimeout`` after the
    /// handler.
    ///
    /// - Parameters:
    ///   - url: `ws://host[:port][/path][?query]`, `wss://…`, or `ws+unix:///path/of/socket[:/path[?query]]`. Without a
    ///     fragment (RFC 6455 §3); a user and password become `Authorization: Basic`, unless that field is set. `wss`
    ///     is TLS, to a server whose certificate is for the URL's host; its own port is 443.
    ///   - configuration: limits and timeouts, and what else to say in the opening handshake.
    ///   - eventLoop: where the connection is to live, if elsewhere than said above.
    ///   - logger: for what the caller is not told otherwise: a redirect that is followed.
    ///   - handler: has the connection for as long as it runs. The same can serve a server's connection.
    /// - Throws: what `handler` throws; or, before it runs, a ``WebSocketError``: `invalidArgument` (the URL, a
    ///   field, a subprotocol), `invalidConfiguration`, `unreadableFile`, `cannotConnect`, `timedOut`,
    ///   `untrustedCertificate`, `tlsFailure`, `handshakeRefused`, `handshakeFailed`, `connectionLost`,
    ///   `outOfResources`, or `cancelled`.
    @concurrent
    public static func connect<Value: Sendable>(
        _ url: String,
        configuration: Configuration = .init(),
        eventLoop: EventLoop? = nil,
        logger: Logger = Logger(label: "apus"),
        handler: @escaping Handler<Value>
    ) async throws -> Value {
        try configuration.validate()
        let url = try WebSocketURL(url)
        // Before the loop is entered, as it reads files. A redirect may lead to wss.
        let mayBeSecure = url.isSecure || configuration.maxRedirects > 0
        let tls = mayBeSecure ? try TLSContext.shared(for: configuration.tls) : nil
        let loop = try eventLoop ?? EventLoop.current ?? ClientLoop.shared()
        return try await withTaskExecutorPreference(loop) {
            let client = try await open(url, configuration, tls, loop, logger)
            return try await serve(client, handler)
        }
    }

    /// Opens a WebSocket, following redirects as far as it may.
    private static func open(
        _ start: WebSocketURL, _ configuration: Configuration, _ tls: TLSContext?, _ loop: EventLoop,
        _ logger: Logger
    ) async throws(WebSocketError) -> ClientConnection {
        var url = start
        var request = ClientRequest(url, configuration)
        for redirects in 0... {
            let client = try await ClientConnection(loop, configuration, tls)
            do throws(WebSocketError) {
                try await client.open(request)
                return client
            } catch {
                await client.stop()
                guard let location = error.redirect, redirects < configuration.maxRedirects else { throw error }
                let next = try url.following(location)
                guard next.isSecure || !url.isSecure else {
                    throw WebSocketError(
                        .handshakeRefused, "\(url) redirects to \(next), which is not encrypted",
                        response: error.response)
                }
                logger.debug("following a redirect", metadata: ["from": "\(url)", "to": "\(next)"])
                request.move(from: url, to: next)
                url = next
            }
        }
        preconditionFailure("the loop ends by a return or an error")
    }

    /// Runs the handler, and closes by how it ends. On the loop.
    private static func serve<Value: Sendable>(
        _ client: ClientConnection, _ handler: @escaping Handler<Value>
    ) async throws -> Value {
        let outcome = await attend(client.socket, handler)
        await client.stop()
        return try outcome.get()
    }

    /// Runs the handler of either end of a connection, and starts to close by how it ends. On the loop.
    static func attend<Value: Sendable>(
        _ socket: WebSocket, _ handler: @escaping Handler<Value>
    ) async -> Result<Value, any Error> {
        await withTaskCancellationHandler {
            socket.handlerJob = socket.eventLoop.handle.runningJob
            defer { socket.handlerJob = nil }
            do {
                let result = try await handler(socket)
                await close(socket, .normalClosure)
                return .success(result)
            } catch {
                await close(socket, .internalError)
                return .failure(error)
            }
        } onCancel: {
            socket.onLoop { socket.goAway(isPrompt: true) }
        }
    }

    /// Starts to close, once the last words are said where there are some to say.
    private static func close(_ socket: WebSocket, _ code: CloseCode) async {
        if Task.isCancelled || socket.farewell?.task != nil {
            socket.goAway(isPrompt: true)
        } else {
            socket.sendClose(code)
        }
        await socket.waitForFarewell()
    }
}

extension WebSocketError {
    /// Where the server sends us, if it does.
    fileprivate var redirect: String? {
        guard code == .handshakeRefused, let response, [301, 302, 303, 307, 308].contains(response.status.code) else {
            return nil
        }
        return response.headerFields[.location]
    }
}
