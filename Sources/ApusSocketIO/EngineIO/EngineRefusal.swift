import Apus
import HTTPTypes

/// Why a request is refused, with the protocol's number and words.
enum EngineRefusal: Int, Hashable, Sendable, Error {
    case transportUnknown = 0
    case sessionUnknown = 1
    case badHandshakeMethod = 2
    case badRequest = 3
    case forbidden = 4
    case unsupportedProtocol = 5

    private var message: String {
        switch self {
        case .transportUnknown: "Transport unknown"
        case .sessionUnknown: "Session ID unknown"
        case .badHandshakeMethod: "Bad handshake method"
        case .badRequest: "Bad request"
        case .forbidden: "Forbidden"
        case .unsupportedProtocol: "Unsupported protocol version"
        }
    }

    /// The response, with words of the application's own where it gave some.
    func response(_ words: String? = nil) -> Response {
        var writer = JSONWriter()
        writer.write(["code": .number(JSON.Number(rawValue)), "message": .string(words ?? message)])
        return Response(
            status: self == .forbidden ? .forbidden : .badRequest,
            headerFields: [.contentType: "application/json", .cacheControl: "no-store"], body: writer.bytes)
    }
}
