import Apus
import HTTPTypes

/// Why a request is refused, with the protocol's number and words.
enum EngineRefusal: Hashable, Sendable, Error {
    case transportUnknown
    case sessionUnknown
    case badHandshakeMethod
    case badRequest
    case forbidden
    case unsupportedProtocol
    case tooManySessions

    /// The protocol has no number for too many sessions; it is refused as what is forbidden is.
    private var code: Int {
        switch self {
        case .transportUnknown: 0
        case .sessionUnknown: 1
        case .badHandshakeMethod: 2
        case .badRequest: 3
        case .forbidden, .tooManySessions: 4
        case .unsupportedProtocol: 5
        }
    }

    private var status: HTTPResponse.Status {
        switch self {
        case .forbidden: .forbidden
        case .tooManySessions: .serviceUnavailable
        default: .badRequest
        }
    }

    private var message: String {
        switch self {
        case .transportUnknown: "Transport unknown"
        case .sessionUnknown: "Session ID unknown"
        case .badHandshakeMethod: "Bad handshake method"
        case .badRequest: "Bad request"
        case .forbidden: "Forbidden"
        case .unsupportedProtocol: "Unsupported protocol version"
        case .tooManySessions: "Too many sessions"
        }
    }

    /// The response, with words of the application's own where it gave some.
    func response(_ words: String? = nil) -> Response {
        var writer = JSONWriter()
        writer.write(["code": .number(JSON.Number(code)), "message": .string(words ?? message)])
        return Response(
            status: status,
            headerFields: [.contentType: "application/json", .cacheControl: "no-store"], body: writer.bytes)
    }
}
