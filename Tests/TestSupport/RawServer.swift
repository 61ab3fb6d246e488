import Glibc

/// A listening socket of 127.0.0.1, with which a test says to a client whatever it likes.
public final class RawServer: @unchecked Sendable {
    private let descriptor: CInt
    private var fillers: [CInt] = []
    /// Where it listens.
    public let port: Int

    /// Listens on any free port.
    public init(backlog: CInt = 16) throws {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("socket") }
        self.descriptor = descriptor
        var address = Self.address(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, size) == 0 && listen(descriptor, backlog) == 0
                    && getsockname(descriptor, generic, &size) == 0
            }
        }
        guard result else { throw SystemError("listen") }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    /// Listens where no connection succeeds or fails: those that may wait to be accepted are there already.
    public static func blackHole() throws -> RawServer {
        let server = try RawServer(backlog: 0)
        for _ in 0..<4 { server.fill() }
        return server
    }

    private func fill() {
        let filler = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | O_NONBLOCK, 0)
        var address = Self.address(port: port)
        withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                _ = Glibc.connect(filler, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        fillers.append(filler)
    }

    /// A port of 127.0.0.1 where nobody listens.
    public static func closedPort() throws -> Int { try RawServer().port }

    private static func address(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    func accept() throws -> CInt {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, 20_000) == 1 else { throw Client.Failure.timedOut }
        let accepted = Glibc.accept(descriptor, nil, nil)
        guard accepted >= 0 else { throw SystemError("accept") }
        return accepted
    }

    deinit {
        for filler in fillers { close(filler) }
        close(descriptor)
    }
}

/// The server's side of RFC 6455 §4.2, in the plainest words.
extension Client {
    /// A request head, as a client has sent it: its lines, and the value of a field.
    public struct Request: Sendable {
        /// The request line and the fields.
        public let lines: [String]

        /// The value of the first field of that name, whatever its case.
        public subscript(name: String) -> String? {
            let line = lines.dropFirst().first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
            return line.map { String($0.dropFirst(name.count + 1).drop { $0 == " " }) }
        }

        /// What answers the key.
        public var accept: String {
            base64(sha1(Array(((self["Sec-WebSocket-Key"] ?? "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
        }
    }

    /// Reads a request head.
    public func readRequest() throws -> Request {
        let head = String(decoding: try read(through: Array("\r\n\r\n".utf8)), as: UTF8.self)
        return Request(lines: head.split(separator: "\r\n").map(String.init))
    }

    /// Sends lines, each with its end, and an empty one.
    public func sendHead(_ lines: String...) throws {
        try send(lines.map { $0 + "\r\n" }.joined() + "\r\n")
    }

    /// Reads an opening handshake and accepts it, with further lines.
    @discardableResult
    public func acceptHandshake(_ lines: String...) throws -> Request {
        let request = try readRequest()
        let all =
            [
                "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                "Sec-WebSocket-Accept: \(request.accept)",
            ] + lines
        try send(all.map { $0 + "\r\n" }.joined() + "\r\n")
        return request
    }

    /// Passes bytes on, both ways, up to the end of either side, or until `isCut` says so behind some bytes; then it
    /// ends both.
    public func relay(to other: Client, until isCut: () -> Bool = { false }) throws {
        var sockets = [self, other].map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var isOver = false
        while !isOver {
            guard poll(&sockets, 2, 20_000) > 0 else { throw Failure.timedOut }
            for (socket, target) in zip(sockets, [other, self]) where socket.revents != 0 && !isOver {
                let count = recv(socket.fd, &buffer, buffer.count, 0)
                if count > 0 { try target.send(buffer.prefix(count)) }
                isOver = count <= 0 || isCut()
            }
        }
        finish()
        other.finish()
    }

    /// Reads one frame of a client, which must be masked, and unmasks it.
    public func readMaskedFrame() throws -> Frame {
        let head = try read(2)
        guard head[1] & 0x80 != 0 else { throw Failure.malformed("a client does not mask") }
        let length: UInt64 =
            switch head[1] & 0x7f {
            case 126: try read(2).reduce(0) { $0 << 8 | UInt64($1) }
            case 127: try read(8).reduce(0) { $0 << 8 | UInt64($1) }
            case let short: UInt64(short)
            }
        let key = try read(4)
        var payload = try read(Int(length))
        for index in payload.indices { payload[index] ^= key[index & 3] }
        return Frame(head[0] & 0xf, payload, fin: head[0] & 0x80 != 0, reserved: head[0] >> 4 & 7, key: key)
    }

    /// Reads up to a client's Close, answers it, and closes the stream; gives the Close's code.
    @discardableResult
    public func answerClose() throws -> UInt16? {
        var frame = try readMaskedFrame()
        while frame.opcode != Frame.Opcode.close { frame = try readMaskedFrame() }
        var answer = Frame.close(frame.closeCode)
        answer.key = nil
        try send(answer.bytes)
        finish()
        try expectEnd()
        return frame.closeCode
    }
}

/// RFC 3174, as it stands there.
private func sha1(_ message: [UInt8]) -> [UInt8] {
    var hash: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
    var padded = message + [0x80]
    while padded.count % 64 != 56 { padded.append(0) }
    padded += withUnsafeBytes(of: UInt64(message.count * 8).bigEndian, Array.init)
    func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word << count | word >> (32 - count) }
    for block in stride(from: 0, to: padded.count, by: 64) {
        var words = (0..<16).map { word in
            padded[block + 4 * word..<block + 4 * word + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
        for at in 16..<80 { words.append(rotate(words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16], 1)) }
        var (a, b, c, d, e) = (hash[0], hash[1], hash[2], hash[3], hash[4])
        for at in 0..<80 {
            let (mixed, constant): (UInt32, UInt32) =
                switch at {
                case ..<20: (b & c | ~b & d, 0x5a82_7999)
                case ..<40: (b ^ c ^ d, 0x6ed9_eba1)
                case ..<60: (b & c | b & d | c & d, 0x8f1b_bcdc)
                default: (b ^ c ^ d, 0xca62_c1d6)
                }
            (e, d, c, b, a) = (d, c, rotate(b, 30), a, rotate(a, 5) &+ mixed &+ e &+ words[at] &+ constant)
        }
        for (index, word) in [a, b, c, d, e].enumerated() { hash[index] &+= word }
    }
    return hash.flatMap { withUnsafeBytes(of: $0.bigEndian, Array.init) }
}

/// RFC 4648 §4.
private func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
        for place in 0..<4 { text.append(place > group.count ? "=" : alphabet[bits >> (18 - 6 * place) & 63]) }
    }
    return text
}
