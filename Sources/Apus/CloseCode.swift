/// A status code that says why a connection closed, as registered with IANA.
///
/// RFC 6455 §7.4.
public struct CloseCode: RawRepresentable, Hashable, Sendable {
    /// The code as it stands on the wire.
    public let rawValue: UInt16

    /// Creates a close code; 4000 to 4999 are the application's own.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// 1000: the connection has served its purpose.
    public static let normalClosure = Self(rawValue: 1000)
    /// 1001: the endpoint goes away: a server that stops, a page that is left.
    public static let goingAway = Self(rawValue: 1001)
    /// 1002: the peer broke the protocol.
    public static let protocolError = Self(rawValue: 1002)
    /// 1003: a kind of data that is not accepted.
    public static let unsupportedData = Self(rawValue: 1003)
    /// 1005: a Close without a code came. Never sent.
    public static let noStatus = Self(rawValue: 1005)
    /// 1006: the connection ended without a Close. Never sent.
    public static let abnormalClosure = Self(rawValue: 1006)
    /// 1007: a message that is not what it says, such as a text that is not UTF-8.
    public static let invalidPayload = Self(rawValue: 1007)
    /// 1008: a message that breaks the endpoint's rules.
    public static let policyViolation = Self(rawValue: 1008)
    /// 1009: a message that is too big.
    public static let messageTooBig = Self(rawValue: 1009)
    /// 1010: the client expected an extension that the server did not accept.
    public static let mandatoryExtension = Self(rawValue: 1010)
    /// 1011: something unexpected happened on this side.
    public static let internalError = Self(rawValue: 1011)
    /// 1012: the server restarts.
    public static let serviceRestart = Self(rawValue: 1012)
    /// 1013: try again later: overload, or a consumer that is too slow.
    public static let tryAgainLater = Self(rawValue: 1013)
    /// 1014: a gateway got an invalid answer from behind.
    public static let badGateway = Self(rawValue: 1014)
}

extension CloseCode: CustomStringConvertible {
    /// The number.
    public var description: String { String(rawValue) }
}
