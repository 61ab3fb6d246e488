import Apus
import HTTPTypes

/// The request that opened a client's connection; a later one, such as that of its WebSocket, does not replace it.
public struct Handshake: Sendable {
    /// Method, target and header fields.
    public let head: HTTPRequest
    /// The client's address: the peer's, or the one that trusted proxies tell.
    public let remoteAddress: SocketAddress
    /// The target's query, its values percent-decoded; of a name that stands twice the last value.
    public let query: [String: String]
    /// When it came.
    public let time: ContinuousClock.Instant

    init(_ head: HTTPRequest, remoteAddress: SocketAddress, query: [String: String]) {
        self.head = head
        self.remoteAddress = remoteAddress
        self.query = query
        time = .now
    }
}

/// The query of a request's target (<https://url.spec.whatwg.org/#urlencoded-parsing>).
enum Query {
    static func parse(_ target: String) -> [String: String] {
        guard let mark = target.firstIndex(of: "?") else { return [:] }
        var values: [String: String] = [:]
        for pair in target[target.index(after: mark)...].split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            values[decode(parts[0])] = parts.count == 2 ? decode(parts[1]) : ""
        }
        return values
    }

    private static func decode(_ text: Substring) -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
            return String(text)
        }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
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
