import HTTPTypes
import Logging

/// The way of one connection: its requests, then its handler.
extension WebSocketServer {
    /// Nothing of the requests is kept while the handler runs: what stands in this function's frame, and in those it
    /// stays inside, is memory of every idle connection.
    func serve(_ connection: HTTPConnection, _ handlers: Handlers) async {
        if let socket = await serveRequests(of: connection, handlers) {
            await handle(socket, handlers.handler)
        }
    }

    /// Answers requests until the connection ends, or becomes a WebSocket.
    private func serveRequests(of connection: HTTPConnection, _ handlers: Handlers) async -> WebSocket? {
        while let request = await connection.nextRequest() {
            // Accepted or rejected, an upgrade is the last request of its connection.
            guard !request.isUpgrade else {
                guard let upgrade = handlers.upgrade else {
                    return connection.accept(request.head, subprotocol: nil, headerFields: [:], logger: logger)
                }
                return await decide(on: request.head, by: upgrade, connection)
            }
            connection.respond(await response(to: request.head.request, handlers), logger: logger)
        }
        return nil
    }

    private func response(to request: HTTPRequest, _ handlers: Handlers) async -> Response {
        do {
            return try await handlers.http(request)
        } catch {
            logger.error("the HTTP handler threw", metadata: ["path": "\(request.path ?? "")", "error": "\(error)"])
            return .internalServerError
        }
    }

    private func decide(
        on head: RequestHead, by upgrade: Handlers.Upgrade, _ connection: HTTPConnection
    ) async -> WebSocket? {
        switch await upgradeResponse(to: head.request, by: upgrade) {
        case .reject(let response):
            connection.respond(response, logger: logger)
            return nil
        case .accept(let subprotocol, let headerFields):
            return connection.accept(head, subprotocol: subprotocol, headerFields: headerFields, logger: logger)
        }
    }

    private func upgradeResponse(to request: HTTPRequest, by upgrade: Handlers.Upgrade) async -> UpgradeResponse {
        do {
            return try await upgrade(request)
        } catch {
            logger.error("the upgrade closure threw", metadata: ["path": "\(request.path ?? "")", "error": "\(error)"])
            return .reject(.internalServerError)
        }
    }

    /// Runs the handler, and closes by how it ends; nothing of an error's words goes to the peer.
    private func handle(_ socket: WebSocket, _ handler: Handler) async {
        socket.handlerJob = socket.eventLoop.handle.runningJob
        defer { socket.handlerJob = nil }
        do {
            try await handler(socket)
            socket.startClosing(Task.isCancelled ? .goingAway : .normalClosure)
        } catch {
            handlerThrew(error, socket)
        }
    }

    private func handlerThrew(_ error: any Error, _ socket: WebSocket) {
        if socket.ending == nil, !Task.isCancelled {
            logger.error("a handler threw", metadata: ["socket": "\(socket.id)", "error": "\(error)"])
        }
        socket.startClosing(Task.isCancelled ? .goingAway : .internalError)
    }
}
