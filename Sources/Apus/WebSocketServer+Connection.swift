import HTTPTypes
import Logging

/// The way of one connection: its requests, then its handler.
extension WebSocketServer {
    /// Nothing of the requests is kept while the handler runs: what stands in this function's frame, and in those it
    /// stays inside, is memory of every idle connection.
    func serve(_ connection: HTTPConnection, _ handlers: Handlers) async {
        if let opened = await serveRequests(of: connection, handlers) {
            await handle(opened.socket, opened.handler)
        }
    }

    /// A WebSocket, and who has it.
    private typealias Opened = (socket: WebSocket, handler: Handler)

    /// Answers requests until the connection ends, or becomes a WebSocket.
    private func serveRequests(of connection: HTTPConnection, _ handlers: Handlers) async -> Opened? {
        while let arrival = await connection.nextRequest() {
            // Accepted or rejected, an upgrade is the last request of its connection.
            guard !arrival.isUpgrade else {
                guard let upgrade = handlers.upgrade else {
                    return connection.accept(arrival.head, subprotocol: nil, headerFields: [:], logger: logger)
                        .map { ($0, handlers.handler) }
                }
                return await decide(on: arrival, by: upgrade, handlers.handler, connection)
            }
            await answer(arrival, of: connection, handlers)
        }
        return nil
    }

    /// Never inlined, nor is `decide`: their frames hold heads and responses, and the task of a WebSocket, which needs
    /// neither, would keep the memory of the largest frame it ever had.
    @inline(never)
    private func answer(_ arrival: HTTPConnection.Arrival, of connection: HTTPConnection, _ handlers: Handlers) async {
        let request = connection.makeRequest(arrival)
        let response = await response(to: request, of: connection, handlers)
        if let stream = response.stream {
            await connection.respond(response, streaming: stream, to: request, logger: logger)
        } else {
            connection.respond(response, logger: logger)
        }
    }

    private func response(
        to request: Request, of connection: HTTPConnection, _ handlers: Handlers
    ) async -> Response {
        do {
            return try await connection.run { try await handlers.http(request) }
        } catch {
            if connection.isOver { return .internalServerError }  // nobody is left to read it
            if let response = request.response(to: error) { return response }
            logger.error("the HTTP handler threw", metadata: ["path": "\(request.path ?? "")", "error": "\(error)"])
            return .internalServerError
        }
    }

    @inline(never)
    private func decide(
        on arrival: HTTPConnection.Arrival, by upgrade: @escaping Handlers.Upgrade, _ usual: @escaping Handler,
        _ connection: HTTPConnection
    ) async -> Opened? {
        switch await upgradeResponse(to: connection.makeRequest(arrival), of: connection, by: upgrade) {
        case .reject(let response):
            if response.stream != nil {
                logger.error("an opening handshake is rejected with content at hand, not with a stream")
                connection.respond(.internalServerError, logger: logger)
            } else {
                connection.respond(response, logger: logger)
            }
            return nil
        case .accept(let subprotocol, let headerFields, let handler):
            return connection.accept(
                arrival.head, subprotocol: subprotocol, headerFields: headerFields, logger: logger
            ).map { ($0, handler ?? usual) }
        }
    }

    private func upgradeResponse(
        to request: Request, of connection: HTTPConnection, by upgrade: @escaping Handlers.Upgrade
    ) async -> UpgradeResponse {
        do {
            return try await connection.run { try await upgrade(request) }
        } catch {
            if connection.isOver { return .reject(.internalServerError) }  // nobody is left to read it
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
            close(socket, .normalClosure)
        } catch {
            handlerThrew(error, socket)
        }
        await socket.waitForFarewell()
    }

    /// A handler that was cancelled has not ended by itself, and one that ends while the server drains may have seen
    /// that.
    private func close(_ socket: WebSocket, _ code: CloseCode) {
        if Task.isCancelled || socket.farewell?.task != nil {
            socket.goAway()
        } else if code == .normalClosure, isDraining {
            socket.handle?.goAway()
        } else {
            socket.sendClose(code)
        }
    }

    private func handlerThrew(_ error: any Error, _ socket: WebSocket) {
        if socket.ending == nil, !Task.isCancelled {
            logger.error("a handler threw", metadata: ["socket": "\(socket.id)", "error": "\(error)"])
        }
        close(socket, .internalError)
    }
}

extension Request {
    /// What the client is told where its content is what made the handler throw.
    fileprivate func response(to error: any Error) -> Response? {
        guard let error = error as? WebSocketError else { return nil }
        if let failure = body.exchange?.failure, failure.error.code == error.code {
            return .text("\(error.message)\n", status: .init(code: failure.status == 0 ? 400 : failure.status))
        }
        guard error.code == .contentTooLarge else { return nil }
        return .text("\(error.message)\n", status: .contentTooLarge)
    }
}
