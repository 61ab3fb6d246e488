import Apus
import Foundation
import HTTPTypes
import Logging

/// The chat over the network: the page and the health check over HTTP, the protocol over WebSocket at `/chat`.
struct ChatServer: Sendable {
    private let settings: Settings
    private let site: Site
    private let services: Visitor.Services

    /// Opens the database and reads the page's files; throws `StoreError` with words for the operator.
    init(settings: Settings, logger: Logger) async throws {
        self.settings = settings
        let store = try MessageStore(path: settings.database)
        site = try Site(store: store, logger: logger)
        services = Visitor.Services(
            store: store,
            journal: Journal(store: store, logger: logger),
            directory: try await RoomDirectory(store: store),
            logger: logger)
    }

    /// Serves until the task is cancelled or the process is told to end (SIGTERM, SIGINT).
    ///
    /// Messages that came in are stored before this returns.
    func run(onListening: @escaping @Sendable (SocketAddress) -> Void) async throws {
        var configuration = WebSocketServer.Configuration(host: settings.host, port: settings.port)
        if let threads = settings.threads { configuration.threads = threads }
        configuration.tls = settings.tls
        configuration.maxOutboundBytes = Outgoing.maxOutboundBytes
        let server = try WebSocketServer(configuration: configuration, logger: services.logger)
        async let storing: Void = services.journal.run(
            publish: services.directory.publish, reload: { try await services.directory.reload() })
        // Cancelled at the end of this scope, when nobody is left to announce anything to.
        async let _: Void = services.directory.announceChanges(clock: .continuous)
        async let _: Void = services.directory.removeUnusedRooms { [logger = services.logger] error in
            logger.error("unused rooms could not be removed", metadata: ["error": "\(error)"])
        }
        try await server.run(
            onListening: onListening,
            upgrade: { request in
                Site.path(of: request.head) == "/chat" ? .accept() : .reject(.notFound)
            },
            http: { await site.response(to: $0.head, isDraining: server.isDraining) },
            handler: serve)
        services.journal.close()
        await storing
    }

    /// One connection, from its opening to its end.
    private func serve(_ socket: WebSocket) async {
        let outbox = Outbox { [logger = services.logger] in
            logger.info("closed a connection that reads too slowly", metadata: ["peer": "\(socket.remoteAddress)"])
            // Try again later: it comes back, and catches up.
            socket.beginClosing(.tryAgainLater)
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await deliver(outbox, to: socket) }
            await receive(from: socket, outbox)
            outbox.close()
        }
    }

    /// Sends what is in the outbox, until that is closed or the peer is gone.
    private func deliver(_ outbox: Outbox, to socket: WebSocket) async {
        while let events = await outbox.next() {
            do {
                for event in events { try await event.send(to: socket) }
            } catch {
                services.logger.debug("a connection ended while sending", metadata: ["error": "\(error)"])
                outbox.close()
                return
            }
        }
    }

    /// Does what the client asks, as fast as its token bucket lets it.
    private func receive(from socket: WebSocket, _ outbox: Outbox) async {
        var visitor = Visitor(services: services, outbox: outbox, address: socket.remoteAddress.host)
        // Generous: a person types, a page that comes back sends all that was not acknowledged.
        var bucket = TokenBucket(burst: 200, perSecond: 100, now: .now)
        do {
            for try await message in socket {
                let wait = bucket.take(now: .now)
                if wait > .zero { try await Task.sleep(for: wait) }
                // From a client that does not read, nothing more is read.
                await outbox.hasRoom()
                switch message {
                case .text(let text): await visitor.receive(text)
                case .binary: outbox.post(.error(Refusal(.badRequest, "a message must be text, not binary")))
                }
            }
        } catch {
            services.logger.debug("a connection ended", metadata: ["error": "\(error)"])
        }
        await visitor.depart()
    }
}
