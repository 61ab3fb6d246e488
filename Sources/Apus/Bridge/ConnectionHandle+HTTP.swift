import CApus
import HTTPTypes

extension ConnectionHandle {
    /// Completes the opening handshake. `apus_connection_accept`
    func accept(subprotocol: String?, fields: HTTPFields) -> CInt {
        fields.withTexts { fields in
            var subprotocol = subprotocol ?? ""
            return subprotocol.withUTF8 { subprotocol in
                apus_connection_accept(pointer, apus_text(subprotocol), fields.baseAddress, fields.count)
            }
        }
    }

    /// Answers the request that waits. `apus_connection_respond`
    func respond(_ response: Response) -> CInt {
        response.headerFields.withTexts { fields in
            apus_connection_respond(
                pointer, CUnsignedInt(response.status.code), fields.baseAddress, fields.count, response.body,
                response.body.count)
        }
    }

    /// Begins to answer the request that waits. `apus_connection_begin`
    func begin(_ response: Response, contentLength: Int?) -> CInt {
        response.headerFields.withTexts { fields in
            apus_connection_begin(
                pointer, CUnsignedInt(response.status.code), fields.baseAddress, fields.count,
                contentLength.map { UInt64(clamping: $0) } ?? UInt64.max)
        }
    }

    /// Tells a client that waits for it to send its content; says nothing where none waits. What can go wrong is told
    /// as the connection's end. `apus_connection_allow_content`
    func allowContent() { _ = apus_connection_allow_content(pointer) }

    /// Asks to be called whenever more of the answer's content can go out. `apus_connection_pull`
    func pull() { apus_connection_pull(pointer) }

    /// Hands content of the answer to the core. `apus_connection_write`
    func writeAttempt(_ bytes: [UInt8]) -> WebSocket.Attempt.Outcome {
        bytes.withUnsafeBufferPointer { writeAttempt($0) }
    }

    /// Hands content of the answer to the core. `apus_connection_write`
    func writeAttempt(_ bytes: UnsafeBufferPointer<UInt8>) -> WebSocket.Attempt.Outcome {
        let error = apus_connection_write(pointer, bytes.baseAddress, bytes.count)
        switch apus_error(rawValue: error) {
        case APUS_OK: return .sent
        case APUS_EFULL: return .full
        case APUS_ECLOSED: return .failed(.closed)
        case APUS_EINVAL:
            return .failed(WebSocketError(.invalidArgument, "a response has more content than its length says"))
        default: return .failed(WebSocketError(core: error))
        }
    }

    /// Ends the answer; `false` where it has less content than was said, and the connection is dropped.
    /// `apus_connection_end`
    func endResponse() -> Bool { apus_connection_end(pointer) != APUS_EINVAL.rawValue }

    /// Asks for content of the request. `apus_connection_demand_body`
    func demandBody() -> CInt { apus_connection_demand_body(pointer) }
}

extension HTTPFields {
    /// Lays the fields' names and values into one block of memory, and calls `body` with where they stand.
    func withTexts<T>(_ body: (UnsafeBufferPointer<apus_field>) -> T) -> T {
        var bytes: [UInt8] = []
        for field in self {
            bytes += field.name.rawName.utf8
            bytes += field.value.utf8
        }
        return bytes.withUnsafeBytes { block in
            var rest = block[...]
            func take(_ count: Int) -> apus_text {
                defer { rest = rest.dropFirst(count) }
                return apus_text(UnsafeRawBufferPointer(rebasing: rest.prefix(count)))
            }
            let texts = map { field in
                apus_field(name: take(field.name.rawName.utf8.count), value: take(field.value.utf8.count))
            }
            return texts.withUnsafeBufferPointer(body)
        }
    }
}

extension apus_text {
    private static let nowhere: StaticString = ""

    /// Points at the bytes, which must outlive it; an empty text still points somewhere.
    init(_ bytes: UnsafeRawBufferPointer) {
        self.init(
            data: bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
                ?? UnsafeRawPointer(Self.nowhere.utf8Start).assumingMemoryBound(to: CChar.self),
            len: bytes.count)
    }

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.init(UnsafeRawBufferPointer(bytes))
    }

    /// The bytes, where they stand.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: data, count: len) }

    /// A copy of the text; bytes beyond ASCII, which a field value may hold, are read as UTF-8 where they are that.
    var string: String {
        String(decoding: UnsafeRawBufferPointer(start: data, count: len), as: UTF8.self)
    }
}

extension ContentFailure {
    /// What broke a request's content, in the core's words; `nil` where nothing did.
    init?(core error: CInt) {
        guard error != 0 else { return nil }
        let code: WebSocketError.Code =
            switch apus_error(rawValue: error) {
            case APUS_EBODYSIZE: .contentTooLarge
            case APUS_EBODYTIME: .timedOut
            case APUS_ELOST: .connectionLost
            default: .malformedContent
            }
        self.init(
            error: WebSocketError(code, String(cString: apus_error_message(error))),
            status: Int(apus_error_code(error)))
    }
}
