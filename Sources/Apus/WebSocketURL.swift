/// Where a WebSocket URL points (RFC 6455 §3), read strictly.
struct WebSocketURL: Hashable, Sendable {
    /// What to connect to.
    enum Place: Hashable, Sendable {
        /// A host name or a numeric address without brackets.
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    /// `wss`.
    let isSecure: Bool
    let place: Place
    /// The value of `Host`: with the port, unless it is the scheme's own.
    let authority: String
    /// Path and query, from the `/` on.
    let target: String
    /// `user:password`, with its percent-encoding undone; `nil` where there is none.
    let userInfo: [UInt8]?

    /// Reads `ws://host[:port][/path][?query]`, `wss://…`, or `ws+unix:///path/of/socket[:/path[?query]]`.
    ///
    /// - Throws: ``WebSocketError`` with the code `invalidArgument`.
    init(_ text: String) throws(WebSocketError) {
        func refuse(_ why: String) -> WebSocketError { WebSocketError(invalidURL: text, why) }
        guard text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw refuse(
                "it may hold visible ASCII characters only; percent-encode the others, and write a host in Punycode")
        }
        guard !text.utf8.contains(UInt8(ascii: "#")) else {
            throw refuse("it may have no fragment (RFC 6455 §3); percent-encode a # as %23")
        }
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            throw refuse("it must begin with ws://, wss:// or ws+unix://")
        }
        let rest = text[colon...].dropFirst()
        switch text[..<colon].lowercased() {
        case "ws": try self.init(rest, isSecure: false, refuse: refuse)
        case "wss": try self.init(rest, isSecure: true, refuse: refuse)
        case "ws+unix": try self.init(unix: rest, refuse: refuse)
        default: throw refuse("its scheme must be ws, wss or ws+unix")
        }
    }

    private init(
        _ rest: Substring, isSecure: Bool, refuse: (String) -> WebSocketError
    ) throws(WebSocketError) {
        guard rest.hasPrefix("//") else { throw refuse("// and a host must follow the scheme") }
        let hierarchy = rest.dropFirst(2)
        let end = hierarchy.firstIndex { $0 == "/" || $0 == "?" } ?? hierarchy.endIndex
        var server = hierarchy[..<end]
        var userInfo: [UInt8]?
        if let at = server.lastIndex(of: "@") {
            guard let decoded = server[..<at].percentDecoded, !server[..<at].contains("@") else {
                throw refuse("its user and password are not percent-encoded as they must be")
            }
            userInfo = decoded
            server = server[server.index(after: at)...]
        }
        let ownPort = isSecure ? 443 : 80
        let (host, port) = try Self.split(server, refuse: refuse)
        let target = hierarchy[end...]
        self.isSecure = isSecure
        self.place = .tcp(host: host, port: port ?? ownPort)
        let written = host.contains(":") ? "[\(host)]" : host
        self.authority = port == nil || port == ownPort ? written : "\(written):\(port ?? ownPort)"
        self.target = target.hasPrefix("/") ? String(target) : "/" + target
        self.userInfo = userInfo
    }

    /// The host, without brackets, and the port of `host[:port]`.
    private static func split(
        _ server: Substring, refuse: (String) -> WebSocketError
    ) throws(WebSocketError) -> (host: String, port: Int?) {
        var host = server
        var rest = server[server.endIndex...]
        if server.hasPrefix("[") {
            guard let bracket = server.firstIndex(of: "]") else { throw refuse("the ] of an IPv6 address is missing") }
            host = server[..<bracket].dropFirst()
            rest = server[bracket...].dropFirst()
            guard host.contains(":") else { throw refuse("only an IPv6 address stands in brackets") }
        } else if let colon = server.firstIndex(of: ":") {
            host = server[..<colon]
            rest = server[colon...]
        }
        guard !host.isEmpty else { throw refuse("the host is missing") }
        guard !host.contains("%") else { throw refuse("its host may be neither percent-encoded nor have a zone") }
        guard !rest.isEmpty else { return (String(host), nil) }
        let digits = rest.dropFirst()
        guard rest.hasPrefix(":"), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw refuse("what follows the host is no port")
        }
        guard !digits.isEmpty else { return (String(host), nil) }
        guard let port = Int(digits), (1...65535).contains(port) else {
            throw refuse("its port must be from 1 to 65535")
        }
        return (String(host), port)
    }

    private init(unix rest: Substring, refuse: (String) -> WebSocketError) throws(WebSocketError) {
        let hierarchy = rest.hasPrefix("//") ? rest.dropFirst(2) : rest
        let end = hierarchy.firstIndex { $0 == ":" || $0 == "?" } ?? hierarchy.endIndex
        guard hierarchy.hasPrefix("/"), let path = hierarchy[..<end].percentDecoded, !path.contains(0) else {
            throw refuse("the absolute path of a socket must follow the scheme, as in ws+unix:///run/server.sock:/path")
        }
        let target = hierarchy[end...].drop { $0 == ":" }
        isSecure = false
        place = .unix(path: String(decoding: path, as: UTF8.self))
        authority = "localhost"
        self.target = target.hasPrefix("/") ? String(target) : "/" + target
        userInfo = nil
    }
}

extension WebSocketURL: CustomStringConvertible {
    /// Where it points, without what only the server may know.
    var description: String {
        switch place {
        case .tcp: "\(isSecure ? "wss" : "ws")://\(authority)\(target.prefix { $0 != "?" })"
        case .unix(let path): "ws+unix://\(path):\(target.prefix { $0 != "?" })"
        }
    }

    /// Whether the two are of one origin, so that what is meant for the one may be told to the other.
    func isSameOrigin(as other: Self) -> Bool {
        isSecure == other.isSecure && place == other.place
    }

    /// Where a response of the server at this URL sends us (RFC 9110 §10.2.2); `http` is read as `ws`, `https` as
    /// `wss`.
    ///
    /// - Throws: ``WebSocketError`` with the code `invalidArgument`.
    func following(_ location: String) throws(WebSocketError) -> Self {
        let scheme = isSecure ? "wss" : "ws"
        guard case .tcp = place else {
            throw WebSocketError(invalidURL: location, "a redirect from a Unix socket leads nowhere")
        }
        // A server may write what it likes: nothing is compared as text before it is known to be ASCII.
        let text = Substring(location.utf8.prefix { $0 != UInt8(ascii: "#") })
        guard text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw WebSocketError(invalidURL: location, "a redirect may hold visible ASCII characters only")
        }
        if text.hasPrefix("//") { return try Self("\(scheme):\(text)") }
        if text.hasPrefix("/") { return try Self("\(scheme)://\(authority)\(text)") }
        if let colon = text.firstIndex(of: ":"), text[..<colon].allSatisfy({ $0.isLetter || $0 == "+" }) {
            let rest = text[colon...]
            switch text[..<colon].lowercased() {
            case "http": return try Self("ws\(rest)")
            case "https": return try Self("wss\(rest)")
            case "ws+unix": throw WebSocketError(invalidURL: location, "a server may not redirect to a Unix socket")
            default: return try Self(String(text))
            }
        }
        // A relative reference: it takes the place of the path's last part, or of the query alone.
        let path = target.prefix { $0 != "?" }
        if text.hasPrefix("?") { return try Self("\(scheme)://\(authority)\(path)\(text)") }
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "/"
        return try Self("\(scheme)://\(authority)\(folder)\(text)")
    }
}

extension WebSocketError {
    /// How much of a URL that is none an error tells; it may be a server's.
    private static let mostToldBytes = 256

    fileprivate init(invalidURL text: String, _ why: String) {
        let told = text.withoutUserInfo
        let isShort = told.utf8.count <= Self.mostToldBytes
        let excerpt = isShort ? told : String(decoding: told.utf8.prefix(Self.mostToldBytes), as: UTF8.self) + "…"
        self.init(.invalidArgument, "\(excerpt.debugDescription) is no WebSocket URL: \(why)")
    }
}

extension String {
    /// The text of a URL, as far as it may stand in a log: not even a broken one tells user and password.
    fileprivate var withoutUserInfo: String {
        guard let end = utf8.lastIndex(of: UInt8(ascii: "@")) else { return self }
        let start = userInfoStart <= end ? userInfoStart : startIndex
        return "\(self[..<start])…\(self[end...])"
    }

    /// Behind the slashes, or behind the scheme where they are missing; what is no scheme of ours may be the user.
    private var userInfoStart: Index {
        let slashes = "//".utf8
        if utf8.starts(with: slashes) { return utf8.index(startIndex, offsetBy: slashes.count) }
        guard let colon = utf8.firstIndex(of: UInt8(ascii: ":")) else { return startIndex }
        let rest = utf8[colon...].dropFirst()
        if rest.starts(with: slashes) { return utf8.index(rest.startIndex, offsetBy: slashes.count) }
        let schemes = ["ws", "wss", "ws+unix", "http", "https"]
        let isScheme = schemes.contains { $0.utf8.elementsEqual(utf8[..<colon].lazy.map { $0 | 0x20 }) }
        return isScheme ? rest.startIndex : startIndex
    }
}

extension Substring {
    /// The bytes with their percent-encoding undone (RFC 3986 §2.1); `nil` where a `%` is not followed by two digits.
    var percentDecoded: [UInt8]? {
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy(\.isHexDigit), let value = UInt8(Substring(digits), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}

extension UInt8 {
    fileprivate var isHexDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}
