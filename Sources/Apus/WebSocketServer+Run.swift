import HTTPTypes
import Logging
import ServiceLifecycle

extension WebSocketServer {
    /// What to do with one WebSocket connection.
    public typealias Handler = @Sendable @concurrent (WebSocket) async throws -> Void

    /// What a server does with requests and connections. A class: every connection's task holds it.
    final class Handlers: Sendable {
        typealias Upgrade = @Sendable @concurrent (Request) async throws -> UpgradeResponse

        let onListening: @Sendable (SocketAddress) -> Void
        let upgrade: Upgrade?
        let http: @Sendable @concurrent (Request) async throws -> Response
        let handler: Handler

        init(
            onListening: @escaping @Sendable (SocketAddress) -> Void,
            upgrade: Upgrade?,
            http: @escaping @Sendable @concurrent (Request) async throws -> Response,
            handler: @escaping Handler
        ) {
            self.onListening = onListening
            self.upgrade = upgrade
            self.http = http
            self.handler = handler
        }
    }

    /// Listens, and serves until the task is cancelled or a signal of ``Configuration/shutdownSignals`` comes.
    ///
    /// It stops in this order:
    /// 1. ``isDraining`` is true, so that a health check can answer 503. Everything goes on for
    ///    ``Configuration/drainDelay``, unless the task is cancelled, which cancels the handlers as well.
    /// 2. Connections are no longer accepted.
    /// 3. Each WebSocket gets its last words (``WebSocket/beforeGoingAway(_:)``), and then a Close with
    ///    ``Configuration/stopCode``, 1001 by default.
    /// 4. Once all connections and handlers have ended, this returns. After ``Configuration/stopDeadline`` the
    ///    connections that are left are dropped; handlers that run on then are cancelled and waited for.
    ///
    /// All closures run on event loops, and so must not block. An error that `upgrade` or `http` throws is logged and
    /// answered with 500. When a client disconnects, the task that runs `upgrade`, `http` or a response's stream for it
    /// is cancelled. A client that has only ended its sending direction is not taken for one that has gone; a client
    /// that has closed its socket is recognised after one to two seconds.
    ///
    /// - Parameters:
    ///   - onListening: called once connections are accepted, with the address and the real port.
    ///   - upgrade: decides on an opening handshake that is valid and of an allowed origin; without it all of them are
    ///     accepted. It may take ``Configuration/upgradeTimeout``.
    ///   - http: answers a request that asks for no upgrade; see ``Request`` and ``Response``. 404 by default.
    ///   - handler: has the connection for as long as it runs.
    /// - Throws: ``WebSocketError``: `addressInUse`, `cannotListen`, `outOfResources`, or `invalidConfiguration` for a
    ///   server that has run before.
    public func run(
        onListening: @escaping @Sendable (SocketAddress) -> Void = { _ in },
        upgrade: (@Sendable @concurrent (Request) async throws -> UpgradeResponse)? = nil,
        http: @escaping @Sendable @concurrent (Request) async throws -> Response = { _ in .notFound },
        handler: @escaping Handler
    ) async throws {
        let service = service(onListening: onListening, upgrade: upgrade, http: http, handler: handler)
        guard !configuration.shutdownSignals.isEmpty else { return try await service.run() }
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
                gracefulShutdownSignals: configuration.shutdownSignals,
                logger: quiet))
        try await group.run()
    }

    /// The server as a service for an application's own `ServiceGroup`, which then does the signals.
    ///
    /// The parameters are those of ``run(onListening:upgrade:http:handler:)``. A graceful shutdown of the group stops
    /// the server as a signal would.
    public func service(
        onListening: @escaping @Sendable (SocketAddress) -> Void = { _ in },
        upgrade: (@Sendable @concurrent (Request) async throws -> UpgradeResponse)? = nil,
        http: @escaping @Sendable @concurrent (Request) async throws -> Response = { _ in .notFound },
        handler: @escaping Handler
    ) -> some Service {
        WebSocketService(
            server: self,
            handlers: Handlers(onListening: onListening, upgrade: upgrade, http: http, handler: handler))
    }

    func serve(_ handlers: Handlers) async throws {
        try markRunning()
        do {
            try await serveOnce(handlers)
        } catch {
            await callEndHooks()
            throw error
        }
        await callEndHooks()
    }

    private func serveOnce(_ handlers: Handlers) async throws {
        let refusals = RefusalLog(logger: logger, hook: configuration.onRefused)
        let shards = loops.map { ServerShard(loop: $0, logger: logger, refusals: refusals) }
        listeners.withLock { $0 = shards }
        let address = try await listen(shards)
        logger.info("listening", metadata: ["address": "\(address)"])
        handlers.onListening(address)

        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withDiscardingTaskGroup { group in
                    group.addTask { await self.stopWhenTold(shards) }
                    await self.acceptConnections(of: shards, handlers)
                }
            } onGracefulShutdown: {
                self.draining.begin()
            }
        } onCancel: {
            self.draining.begin()
        }
        logger.info("stopped", metadata: ["address": "\(address)"])
    }

    /// Stops in order, once the server was told to.
    private func stopWhenTold(_ shards: [ServerShard]) async {
        await draining.wait()
        // The closures for a graceful shutdown run one after the other, and this one behind those that run now. So what
        // a handler's closure sends is under way before anything is closed.
        await withGracefulShutdownHandler {
        } onGracefulShutdown: {
        }
        if configuration.drainDelay > .zero {
            logger.info("draining", metadata: ["for": "\(configuration.drainDelay)"])
            try? await sleep(configuration.drainDelay)  // which a cancellation ends
        }
        callStopHooks()
        shards.forEach { $0.stop(deadline: configuration.stopDeadline) }
    }

    /// Opens one listener a loop; where one fails, all are closed again.
    private func listen(_ shards: [ServerShard]) async throws(WebSocketError) -> SocketAddress {
        var sockets = try ListeningSockets(configuration)
        let config = ListenerConfig(configuration, tls: tls.withLock { $0 })
        for shard in shards {
            guard let socket = sockets.take() else { break }
            do {
                try await shard.open(socket, config: config)
            } catch {
                shards.forEach { $0.stop(deadline: configuration.stopDeadline) }
                throw error
            }
        }
        settleTLS()
        return sockets.address
    }

    private func acceptConnections(of shards: [ServerShard], _ handlers: Handlers) async {
        await withDiscardingTaskGroup { group in
            for shard in shards {
                group.addTask(executorPreference: shard.loop) {
                    await shard.acceptConnections { connection in
                        await self.serve(connection, handlers)
                    }
                }
            }
        }
    }
}

/// A server and what it does, as swift-service-lifecycle wants it.
struct WebSocketService: Service {
    let server: WebSocketServer
    let handlers: WebSocketServer.Handlers

    func run() async throws { try await server.serve(handlers) }
}
