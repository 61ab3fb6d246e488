import CApus
import HTTPTypes

extension ConnectionHandle {
    /// Completes the opening handshake. `apus_connection_accept`
    func accept(subprotocol: String?, fields: HTTPFields) -> CInt {
        withTexts(of: fields) { fields in
            var subprotocol = subprotocol ?? ""
            return subprotocol.withUTF8 { subprotocol in
                apus_connection_accept(pointer, apus_text(subprotocol), fields.baseAddress, fields.count)
            }
        }
    }

    /// Answers the request that waits. `apus_connection_respond`
    func respond(_ response: Response) -> CInt {
        withTexts(of: response.headerFields) { fields in
            apus_connection_respond(
                pointer, CUnsignedInt(response.status.code), fields.baseAddress, fields.count, response.body,
                response.body.count)
        }
    }

    /// Lays the fields' names and values into one block of memory, and calls `body` with where they stand.
    private func withTexts<T>(of fields: HTTPFields, _ body: (UnsafeBufferPointer<apus_field>) -> T) -> T {
        var bytes: [UInt8] = []
        for field in fields {
            bytes += field.name.rawName.utf8
            bytes += field.value.utf8
        }
        return bytes.withUnsafeBytes { block in
            var rest = block[...]
            func take(_ count: Int) -> apus_text {
                defer { rest = rest.dropFirst(count) }
                return apus_text(UnsafeRawBufferPointer(rebasing: rest.prefix(count)))
            }
            let texts = fields.map { field in
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

    /// A copy of the text; bytes beyond ASCII, which a field value may hold, are read as UTF-8 where they are that.
    var string: String {
        String(decoding: UnsafeRawBufferPointer(start: data, count: len), as: UTF8.self)
    }
}
