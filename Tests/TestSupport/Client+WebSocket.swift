/// The client's side of RFC 6455, in the plainest words.
extension Client {
    /// The key of RFC 6455 §1.3, and what answers it.
    public static let key = "dGhlIHNhbXBsZSBub25jZQ=="
    /// What answers ``key``.
    public static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    /// Sends an opening handshake (§4.1) with further lines.
    public func sendHandshake(_ target: String = "/", _ lines: [String] = []) throws {
        let all =
            [
                "GET \(target) HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
                "Sec-WebSocket-Key: \(Self.key)", "Sec-WebSocket-Version: 13",
            ] + lines
        try send(all.map { $0 + "\r\n" }.joined() + "\r\n")
    }

    /// Does an opening handshake, which must succeed.
    @discardableResult
    public func open(_ target: String = "/", _ lines: [String] = []) throws -> Answer {
        try sendHandshake(target, lines)
        let answer = try readAnswer()
        guard answer.status == 101, answer["Sec-WebSocket-Accept"] == Self.accept else {
            throw Failure.malformed(answer.lines.joined(separator: "\n"))
        }
        return answer
    }

    /// Connects, and does an opening handshake.
    public static func webSocket(port: Int, _ target: String = "/", receiveBuffer: Int32? = nil) throws -> Client {
        let client = try Client(port: port, receiveBuffer: receiveBuffer)
        try client.open(target)
        return client
    }

    /// Sends frames, in as few segments as the kernel likes.
    public func send(_ frames: Frame...) throws {
        try send(frames.flatMap(\.bytes))
    }

    /// Reads one frame.
    public func readFrame() throws -> Frame {
        let head = try read(2)
        let length: UInt64 =
            switch head[1] & 0x7f {
            case 126: try read(2).reduce(0) { $0 << 8 | UInt64($1) }
            case 127: try read(8).reduce(0) { $0 << 8 | UInt64($1) }
            case let short: UInt64(short)
            }
        guard head[1] & 0x80 == 0 else { throw Failure.malformed("a server masks") }
        return Frame(
            head[0] & 0xf, try read(Int(length)), fin: head[0] & 0x80 != 0, reserved: head[0] >> 4 & 7, key: nil)
    }

    /// Reads one control frame, or a whole message as if it were one frame; control frames between its fragments are
    /// not expected.
    public func readMessage() throws -> Frame {
        var message = try readFrame()
        while !message.fin {
            let frame = try readFrame()
            guard frame.opcode == Frame.Opcode.continuation, frame.reserved == 0 else {
                throw Failure.malformed("no fragment: \(frame.opcode)")
            }
            message.payload += frame.payload
            message.fin = frame.fin
        }
        return message
    }

    /// Reads a whole text message; pings before it are answered.
    public func readText() throws -> String {
        var frame = try readFrame()
        while frame.opcode == Frame.Opcode.ping {
            try send(Frame(Frame.Opcode.pong, frame.payload))
            frame = try readFrame()
        }
        guard frame.opcode == Frame.Opcode.text, frame.fin, frame.reserved == 0 else {
            throw Failure.malformed("no text message: \(frame.opcode), \(frame.closeCode ?? 0)")
        }
        return frame.text
    }

    /// Reads up to the Close and the end of the stream, and gives the Close's code.
    ///
    /// - Parameter answers: whether to complete the closing handshake, where the server began it.
    @discardableResult
    public func readClose(answers: Bool = true) throws -> UInt16? {
        var frame = try readFrame()
        while frame.opcode != Frame.Opcode.close { frame = try readFrame() }
        if answers {
            try? send(.close(frame.closeCode))  // a server that fails a connection may be gone already
            finish()
        }
        try expectEnd()
        return frame.closeCode
    }

    /// Does a closing handshake (§7.1.2), and gives the code that came back.
    @discardableResult
    public func closeNormally(_ code: UInt16? = 1000, _ reason: String = "") throws -> UInt16? {
        try send(.close(code, reason))
        return try readClose(answers: false)
    }
}
