import TestSupport

@testable import ApusSocketIO

/// A client by WebSocket that remembers by what it can go on where it was.
final class Recoverable: Sendable {
    let client: TestSupport.Client
    /// Its CONNECT's answer.
    let welcome: String

    /// Joins `/`, perhaps with what an earlier connection had.
    init(port: Int, _ auth: String = "") throws {
        client = try joined(port: port, nil)
        try client.send(.text("40\(auth)"))
        welcome = try client.readText()
    }

    var id: String { String(welcome.split(separator: "\"")[3]) }
    private var privateID: String { String(welcome.split(separator: "\"")[7]) }

    /// The next event, and what a client that has heard it comes back with.
    func hear() throws -> (event: String, auth: String) {
        let event = try client.readText()
        let offset = event.split(separator: "\"").dropLast().last ?? ""
        return (event, #"{"pid":"\#(privateID)","offset":"\#(offset)"}"#)
    }

    /// The name and the first argument of the next event.
    func hearNumber() throws -> String { try client.readText().split(separator: ",").prefix(2).joined(separator: ",") }
}

/// Joins a client, lets it hear an event, and returns what it can come back with.
func recoverable(_ io: SocketIOServer, port: Int) async throws -> (client: Recoverable, socket: Socket, auth: String) {
    let client = try await onThread { try Recoverable(port: port) }
    try await until { io.root.sockets[Name(client.id)] != nil }
    guard let socket = io.root.sockets[Name(client.id)] else {
        throw TestSupport.Client.Failure.malformed("it is gone")
    }
    try await io.emit("x", 0)
    return (client, socket, try await onThread { try client.hear().auth })
}
