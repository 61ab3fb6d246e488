import Apus
import HTTPTypes

/// The request that opened a client's connection; a later one, such as that of its WebSocket, does not replace it.
public struct Handshake: Sendable {
    /// Method, target and header fields.
    public let head: HTTPRequest
    /// The client's address: the peer's, or the one that trusted proxies tell.
    public let remoteAddress: SocketAddress
    /// The target's query.
    public var query: Query { Query(of: head) }
    /// When it came.
    public let time: ContinuousClock.Instant

    init(_ head: HTTPRequest, remoteAddress: SocketAddress) {
        self.head = head
        self.remoteAddress = remoteAddress
        time = .now
    }

    /// About as many bytes of memory as it takes up.
    var footprint: Int {
        head.headerFields.reduce(256 + (head.path ?? "").utf8.count) { size, field in
            size + 128 + field.name.rawName.utf8.count + field.value.utf8.count
        }
    }
}

/// The query of a request's target (<https://url.spec.whatwg.org/#urlencoded-parsing>).
///
/// It is read each time that it is asked for something, so it keeps nothing beside the target.
public struct Query: Sendable {
    /// The whole target, with the query behind its first question mark.
    private let target: String

    init(of head: HTTPRequest) { self.init(head.path ?? "") }

    init(_ target: String) { self.target = target }

    /// The value of a name, percent-decoded; of a name that stands twice the last value. `nil` where there is none.
    ///
    /// The value is at most as long as a request head may be (`WebSocketServer.Configuration.maxHeadBytes`).
    public subscript(name: String) -> String? {
        var value: String?
        for item in items where item.name.hasSameBytes(as: name) { value = item.value }
        return value
    }

    /// Whether a name has this very value.
    func has(_ name: String, _ value: String) -> Bool { self[name]?.hasSameBytes(as: value) ?? false }

    /// All names and values, percent-decoded, in order.
    public var items: [(name: String, value: String)] {
        let bytes = target.utf8
        guard let mark = bytes.firstIndex(of: UInt8(ascii: "?")) else { return [] }
        return bytes[bytes.index(after: mark)...].split(separator: UInt8(ascii: "&")).map { pair in
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return (Self.decode(parts[0]), parts.count == 2 ? Self.decode(parts[1]) : "")
        }
    }

    private static func decode(_ text: Substring.UTF8View) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var rest = text
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+") {
                bytes.append(UInt8(ascii: " "))
            } else if byte == UInt8(ascii: "%"), let value = UInt8(hexDigits: rest.prefix(2)) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension UInt8 {
    /// What two hexadecimal digits say.
    fileprivate init?(hexDigits digits: Substring.UTF8View) {
        let values = digits.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        guard values.count == 2 else { return nil }
        self = UInt8(values[0] << 4 | values[1])
    }
}
